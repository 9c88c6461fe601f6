// Where a log that is watched ended before the usual range, the page begins with the range that has its lines.

import { useEffect, useRef } from "preact/hooks";

import { address, ask, isAbort } from "../api/client";
import { DEFAULT, PRESETS, type Preset, type Range, between, parseInstant } from "./range";
import { type Covered, readCovered } from "./report";

const DAY = 86_400;

/** A log may be long: its last week. */
const LONGEST = 7 * DAY;

/** How often the report is asked for until it has a time: the lines may be read still. */
const TIMES = 20;

/**
 * The range to begin with; null: the usual one has lines. A log that ended today may go on, so its range ends
 * now; of one that ended before, it is from the log's first line to its last.
 */
export function beginning(covered: Covered, now: number): Range | null {
  const from = parseInstant(covered.from);
  const to = parseInstant(covered.to);
  if (!(from <= to) || to >= now - PRESETS["15m"]) {
    return null;
  }
  if (to >= now - DAY) {
    const presets = Object.entries(PRESETS) as [Preset, number][];
    const preset = presets.find(([, seconds]) => to >= now - seconds)?.[0] ?? "24h";
    return { kind: "last", preset };
  }
  return between(Math.max(from, to - LONGEST), to + 1);
}

/** Begins with the range of the log, unless the address says one: once. */
export function useBegin(isWatch: boolean, range: Range, begin: (range: Range) => void) {
  const isUsual = range.kind === "last" && DEFAULT.kind === "last" && range.preset === DEFAULT.preset;
  const isOver = useRef(false);
  const latest = useRef(begin);
  latest.current = begin;
  // Who has chosen a range is not led to another.
  isOver.current ||= !isUsual;
  useEffect(() => {
    if (!isWatch || isOver.current) {
      return undefined;
    }
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (left: number) => {
      // Where there is no report yet, or no line with a time in it, there may be soon.
      const none = (error: unknown) => (isAbort(error) ? undefined : null);
      ask<unknown>(address("/api/report", { format: "json" }), stop.signal)
        .then(readCovered)
        .catch(none)
        .then((covered) => {
          if (covered === undefined || isOver.current) {
            return;
          }
          if (covered === null) {
            timer = left > 0 ? setTimeout(() => look(left - 1), 1000) : undefined;
            return;
          }
          isOver.current = true;
          const range = beginning(covered, Date.now() / 1000);
          if (range !== null) {
            latest.current(range);
          }
        });
    };
    look(TIMES);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [isWatch]);
}
