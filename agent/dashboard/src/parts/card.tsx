// A number that one looks at first, with how it is at this moment.

import type { ComponentChildren } from "preact";

import { Sparkline } from "../charts/sparkline";

/** A card. */
export function Card(props: {
  label: string;
  value: string;
  /** How it is now, in words. */
  now?: ComponentChildren;
  /** How it was in each of the last seconds. */
  trend?: readonly (number | null)[];
  tone?: "good" | "bad" | undefined;
  class?: string;
  children?: ComponentChildren;
}) {
  return (
    <div class={`card ${props.class ?? ""} ${props.tone ?? ""}`}>
      <div class="label">{props.label}</div>
      <div class="figure">{props.value}</div>
      {props.children}
      <div class="now">
        {props.now}
        {props.trend !== undefined && props.trend.length > 1 && <Sparkline values={props.trend} />}
      </div>
    </div>
  );
}
