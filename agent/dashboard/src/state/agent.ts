// How the program itself fares, asked for every few seconds; with the answer before, for rates.

import { useRef } from "preact/hooks";

import type { Agent } from "../api/types";
import { type Answer, useAnswer } from "./answer";
import { usePulse } from "./pulse";

/** Seconds between two answers. */
export const EVERY = 3;

/** The last answer and the one before. */
export function useAgent(): { answer: Answer<Agent>; before: Agent | null } {
  const pulse = usePulse(EVERY);
  const answer = useAnswer<Agent>("/api/agent", {}, { pulse });
  const kept = useRef<{ last: Agent | null; before: Agent | null }>({ last: null, before: null });
  if (answer.data !== null && answer.data !== kept.current.last) {
    kept.current = { last: answer.data, before: kept.current.last };
  }
  return { answer, before: kept.current.before };
}
