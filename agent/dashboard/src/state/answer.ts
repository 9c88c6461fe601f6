// An answer of the API, as a view holds it: asked for again when it gets old, put together where it
// comes in parts.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, type Query, address, ask, isAbort } from "../api/client";
import type { Covered } from "../api/types";
import { asParameters } from "./range";
import { isPartial } from "./search";
import { useShell } from "./shell";

/** What a view holds. */
export interface Answer<Data> {
  /** The last answer, kept while the next one is on its way. */
  readonly data: Data | null;
  readonly error: ApiError | null;
  /** Something is on its way that was not asked before. */
  readonly loading: boolean;
  /** The parts behind what there is are being asked for. */
  readonly goingOn: boolean;
  /** Asks for the parts behind, until all are there or it is stopped. */
  readonly goOn: () => void;
  readonly stop: () => void;
  readonly again: () => void;
}

/** How an answer is asked for. */
export interface Options<Data> {
  /** With the time range of the page. */
  readonly ranged?: boolean;
  /** Asked for again with every beat. */
  readonly live?: boolean;
  /** Asked for again whenever this changes. */
  readonly pulse?: number;
  /** Puts the rest to a part: it is asked for by itself. */
  readonly join?: Join<Data>;
}

/** How an answer in parts becomes one. */
export interface Join<Data> {
  readonly put: (part: Data, rest: Data) => Data;
  /** What to ask for beside the place to go on from. */
  readonly rest: (part: Data) => Query;
}

/** What is held of an answer. */
export interface Held<Data> {
  readonly question: string;
  readonly data: Data | null;
  readonly error: ApiError | null;
}

/** Asks for `path`; null: nothing is asked for. */
export function useAnswer<Data>(path: string | null, query: Query, options: Options<Data> = {}): Answer<Data> {
  const { place, beat, unauthorized } = useShell();
  const [state, setState] = useState<Held<Data>>({ question: "", data: null, error: null });
  const [round, setRound] = useState(0);
  const [goingOn, setGoingOn] = useState(false);
  const [stopped, setStopped] = useState(false);
  const current = useRef<AbortController | null>(null);
  const going = useRef<AbortController | null>(null);
  const partial = useRef(false);
  const busy = useRef(false);

  // The time of asking is not in it: the same question asked later is the same question.
  const range = options.ranged ? JSON.stringify(place.range) : "";
  const question = path === null ? "" : `${address(path, query)} ${range}`;
  const pulse = options.live ? beat : (options.pulse ?? 0);
  const asked = useRef({ question: "", round: 0 });

  useEffect(() => {
    if (path === null) {
      return undefined;
    }
    const same = asked.current.question === question && asked.current.round === round;
    // What came in parts, or is still on its way, is not asked for again by itself.
    if (same && (partial.current || busy.current)) {
      return undefined;
    }
    asked.current = { question, round };
    going.current?.abort();
    going.current = null;
    setGoingOn(false);
    setStopped(false);
    const controller = new AbortController();
    const times = options.ranged ? asParameters(place.range, Date.now() / 1000) : {};
    const url = address(path, { ...query, ...times });
    busy.current = true;
    current.current = controller;
    ask<Data>(url, controller.signal)
      .then((data) => {
        busy.current = false;
        partial.current = coveredOf(data)?.complete === false;
        setState({ question, data, error: null });
      })
      .catch((error: unknown) => {
        if (isAbort(error)) {
          return;
        }
        busy.current = false;
        partial.current = false;
        const failure = asFailure(error);
        if (failure.status === 401) {
          unauthorized();
        }
        setState((held) => ({ question, data: held.question === question ? held.data : null, error: failure }));
      });
    return undefined;
  }, [question, round, pulse]);

  // A question that is no longer wanted is given up; a beat gives nothing up.
  useEffect(() => {
    return () => {
      busy.current = false;
      current.current?.abort();
      going.current?.abort();
    };
  }, [question, round]);

  const goOn = useCallback(() => {
    const join = options.join;
    if (path === null || join === undefined || going.current !== null) {
      return;
    }
    const controller = new AbortController();
    going.current = controller;
    setGoingOn(true);
    setStopped(false);
    const run = async (data: Data): Promise<void> => {
      let sum = data;
      for (let covered = coveredOf(sum); isPartial(covered); covered = coveredOf(sum)) {
        await visible(controller.signal);
        const times = { ...asParameters(place.range, Date.now() / 1000), end_time: coveredOf(data)?.to };
        const part = await ask<Data>(
          address(path, { ...query, ...(options.ranged ? times : {}), ...join.rest(sum), after: covered.next }),
          controller.signal,
        );
        sum = join.put(sum, part);
        partial.current = isPartial(coveredOf(sum));
        setState({ question, data: sum, error: null });
      }
    };
    const ended = (error: ApiError | null) => {
      if (going.current === controller) {
        going.current = null;
        setGoingOn(false);
      }
      if (error !== null) {
        setStopped(true);
        setState((before) => ({ ...before, error }));
      }
    };
    if (state.data !== null) {
      run(state.data).then(
        () => ended(null),
        (error: unknown) => ended(isAbort(error) ? null : asFailure(error)),
      );
    }
  }, [question, state.data]);

  const stop = useCallback(() => {
    going.current?.abort();
    going.current = null;
    setGoingOn(false);
    setStopped(true);
  }, []);

  // The rest is asked for by itself, but where somebody has stopped that.
  useEffect(() => {
    if (!stopped && state.question === question && isPartial(coveredOf(state.data))) {
      goOn();
    }
  }, [state.data, stopped, question]);

  const again = useCallback(() => {
    partial.current = false;
    setRound((before) => before + 1);
  }, []);

  const loading = path !== null && state.question !== question;
  return { data: state.data, error: loading ? null : state.error, loading, goingOn, goOn, stop, again };
}

/** What an answer is about, where it says so. */
export function coveredOf(data: unknown): Covered | null {
  const covered = (data as { covered?: Covered } | null)?.covered;
  return covered ?? null;
}

/** Resolves when somebody looks at the page. */
async function visible(signal: AbortSignal): Promise<void> {
  while (document.hidden && !signal.aborted) {
    await new Promise<void>((done) => {
      document.addEventListener("visibilitychange", () => done(), { once: true });
    });
  }
}

/** What went wrong. */
export function asFailure(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, String(error));
}
