// One question behind all parts of a view. What roll-ups do not know the server searches for row by row, a
// moment for each answer, and all parts are about the same rows: so they have the same times, are
// asked for again together until all is found, and how far that has come is said once.

import { createContext } from "preact";
import { useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { address } from "../api/client";
import type { Covered } from "../api/types";
import type { Filters } from "./fields";
import { asParameters } from "./range";
import { useShell } from "./shell";

/** How long the server is left alone between two rounds, in milliseconds. */
const PAUSE = 100;

/** What the parts of a view share. */
export interface Search {
  /** What is asked, whenever that is. */
  readonly question: string;
  /** The times of the question. */
  readonly times: Record<string, string>;
  /** Grows when all is asked for anew. */
  readonly asking: number;
  /** Grows when what is not complete is to go on. */
  readonly round: number;
  readonly progress: Progress;
  readonly stop: () => void;
  readonly goOn: () => void;
  readonly again: () => void;
  /** A part is on its way. */
  readonly begin: (part: string) => void;
  /** A part is there, or has failed. */
  readonly end: (part: string, covered: Covered | null, failed: boolean) => void;
  /** A part is not wanted any more. */
  readonly leave: (part: string) => void;
}

/** How far a search has come. */
export type Progress =
  | { readonly kind: "none" }
  /** `share`: of the time, from 0 to 1. */
  | { readonly kind: "going" | "stopped"; readonly from: string; readonly to: string; readonly share: number }
  | { readonly kind: "done"; readonly from: string; readonly to: string };

/** What is known of a part. */
export interface Part {
  readonly busy: boolean;
  readonly covered: Covered | null;
}

/** Set by the view. */
export const SearchContext = createContext<Search | null>(null);

/** The question of the view. */
export function useSearch(): Search {
  const search = useContext(SearchContext);
  if (search === null) {
    throw new Error("a part outside of a view that asks");
  }
  return search;
}

/** Whether more can be found. */
export function isPartial(covered: Covered | null | undefined): covered is Covered {
  return covered !== null && covered !== undefined && !covered.complete && covered.next !== null;
}

/** How far all parts have come: as far as the last of them. Pure. */
export function progressOf(parts: Iterable<Part>, start: string | undefined, rounds: number, running: boolean): Progress {
  let last: Covered | null = null;
  let whole: Covered | null = null;
  for (const { covered } of parts) {
    if (isPartial(covered) && (last === null || Date.parse(covered.from) > Date.parse(last.from))) {
      last = covered;
    }
    if (covered?.source === "rows") {
      whole = covered;
    }
  }
  if (last !== null) {
    const [from, reached, to] = [Date.parse(start ?? last.from), Date.parse(last.from), Date.parse(last.to)];
    const share = to > from ? Math.min(1, Math.max(0, (to - reached) / (to - from))) : 0;
    return { kind: running ? "going" : "stopped", from: last.from, to: last.to, share };
  }
  // What was found in one go is asked for again by itself, and needs no word.
  return rounds > 0 && whole !== null ? { kind: "done", from: whole.from, to: whole.to } : { kind: "none" };
}

/** Makes the question of a view with these filters. */
export function useNewSearch(filters: Filters): Search {
  const { place, beat } = useShell();
  const parts = useRef(new Map<string, Part>()).current;
  const [changes, setChanges] = useState(0);
  const [wanted, setWanted] = useState(0);
  const [round, setRound] = useState(0);
  const [stopped, setStopped] = useState(-1);
  const question = `${JSON.stringify(place.range)} ${address("", filters)}`;
  const asked = useRef({ question: "", wanted: -1, beat: -1, asking: 0, rounds: 0, times: {} as Record<string, string> });

  const known = [...parts.values()];
  const idle = known.every((part) => !part.busy);
  const partial = known.some((part) => isPartial(part.covered));
  const isNew = asked.current.question !== question || asked.current.wanted !== wanted;
  // What took more than a moment to find is not searched for again by itself.
  const isOld = asked.current.beat !== beat && idle && !partial && asked.current.rounds === 0;
  if (isNew || isOld) {
    const now = Date.now();
    const times = asParameters(place.range, now / 1000);
    const end = Object.keys(filters).length > 0 ? { end_time: new Date(now).toISOString() } : {};
    parts.clear();
    asked.current = { question, wanted, beat, asking: asked.current.asking + 1, rounds: 0, times: { ...end, ...times } };
  }
  const { asking, times } = asked.current;
  const running = stopped !== asking;

  useEffect(() => {
    if (!idle || !partial || !running) {
      return undefined;
    }
    const next = () => {
      const busy = [...parts.values()].some((part) => part.busy);
      // Nobody looks: it goes on when somebody does.
      if (!document.hidden && !busy) {
        asked.current.rounds += 1;
        setRound((before) => before + 1);
      }
    };
    const timer = setTimeout(next, PAUSE);
    document.addEventListener("visibilitychange", next);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", next);
    };
  }, [changes, running, asking]);

  const actions = useMemo(
    () => ({
      begin: (part: string) => {
        parts.set(part, { busy: true, covered: parts.get(part)?.covered ?? null });
      },
      end: (part: string, covered: Covered | null, failed: boolean) => {
        parts.set(part, { busy: false, covered: covered ?? parts.get(part)?.covered ?? null });
        if (failed) {
          setStopped(asked.current.asking);
        }
        setChanges((before) => before + 1);
      },
      leave: (part: string) => {
        parts.delete(part);
        setChanges((before) => before + 1);
      },
      stop: () => setStopped(asked.current.asking),
      goOn: () => setStopped(-1),
      again: () => setWanted((before) => before + 1),
    }),
    [],
  );
  const progress = progressOf(parts.values(), times["start_time"], asked.current.rounds, running);
  return { question, times, asking, round, progress, ...actions };
}
