// What every view knows: where one is, how to go elsewhere, and what came live.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Freshness } from "../api/feed";
import type { Moment, Point, Tick } from "../api/types";
import type { Place } from "./address";
import type { Field } from "./fields";
import type { Range } from "./range";

/** What the frame of the page gives to its views. */
export interface Shell {
  readonly place: Place;
  /** Goes to another place; the browser's back button comes back here. */
  readonly go: (place: Place) => void;
  /** Puts a filter in force; null takes it away. */
  readonly filter: (field: Field, value: string | null) => void;
  readonly setRange: (range: Range) => void;
  readonly tick: Tick | null;
  /** The last seconds, in order. */
  readonly seconds: readonly Moment[];
  /** The newest points of charts over time. */
  readonly points: readonly Point[];
  readonly freshness: Freshness;
  /** Grows whenever what ends now is to be asked for again. */
  readonly beat: number;
  /** Somebody must log in. */
  readonly unauthorized: () => void;
}

/** Set by the frame. */
export const ShellContext = createContext<Shell | null>(null);

/** The frame around a view. */
export function useShell(): Shell {
  const shell = useContext(ShellContext);
  if (shell === null) {
    throw new Error("a view outside of the page");
  }
  return shell;
}
