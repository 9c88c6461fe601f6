// From an answer to what a chart draws: rates, stacks, and no step that is not over yet. Pure.

import type { TimeSeries, Values } from "../api/types";
import { parseInstant } from "../state/range";

/** One line or layer of a chart. */
export interface Line {
  readonly label: string;
  /** A variable of the style sheet. */
  readonly color: string;
  readonly values: Values;
}

/** How many steps at the end are not over in what the series covers: their counts would look like a fall. */
export function unfinished(series: TimeSeries): number {
  const { times, step } = series;
  const now = parseInstant(series.covered.to);
  let count = 0;
  while (count < times.length && (times[times.length - 1 - count] ?? 0) + step > now) {
    count += 1;
  }
  return count === times.length ? 0 : count;
}

/** A series without its last `cut` values, each divided by `by`; empty where there is none. */
export function take(values: Values | undefined, length: number, cut: number, by = 1): Values {
  const found: Values = [];
  for (let index = 0; index < length - cut; index += 1) {
    const value = values?.[index] ?? null;
    found.push(value === null ? null : value / by);
  }
  return found;
}

/** Each layer on those below it: the last is the sum of all. */
export function stack(layers: readonly Values[]): Values[] {
  let below: Values = [];
  return layers.map((layer) => {
    below = layer.map((value, index) => (below[index] ?? 0) + (value ?? 0));
    return below;
  });
}

/** The largest value and where it is; null where there is none. */
export function highest(values: Values): { index: number; value: number } | null {
  let found: { index: number; value: number } | null = null;
  values.forEach((value, index) => {
    if (value !== null && (found === null || value > found.value)) {
      found = { index, value };
    }
  });
  return found;
}

/** Whether there is anything to draw. */
export function isEmpty(lines: readonly Line[]): boolean {
  return lines.every((line) => line.values.every((value) => value === null || value === 0));
}
