// An answer of the API, as a view holds it: asked for again when it gets old, put together where it
// comes in parts.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError, type Query, address, ask, isAbort } from "../api/client";
import type { Covered } from "../api/types";
import { asParameters } from "./range";
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
  /** Puts two parts together. */
  readonly join?: (one: Data, other: Data) => Data;
}

interface State<Data> {
  readonly url: string;
  readonly data: Data | null;
  readonly error: ApiError | null;
}

/** Asks for `path`; null: nothing is asked for. */
export function useAnswer<Data>(path: string | null, query: Query, options: Options<Data> = {}): Answer<Data> {
  const { place, beat, unauthorized } = useShell();
  const [state, setState] = useState<State<Data>>({ url: "", data: null, error: null });
  const [round, setRound] = useState(0);
  const [goingOn, setGoingOn] = useState(false);
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
    const controller = new AbortController();
    const times = options.ranged ? asParameters(place.range, Date.now() / 1000) : {};
    const url = address(path, { ...query, ...times });
    busy.current = true;
    current.current = controller;
    ask<Data>(url, controller.signal)
      .then((data) => {
        busy.current = false;
        partial.current = coveredOf(data)?.complete === false;
        setState({ url: question, data, error: null });
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
        setState((before) => ({ url: question, data: before.url === question ? before.data : null, error: failure }));
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
    const run = async (data: Data): Promise<void> => {
      let sum = data;
      for (let next = coveredOf(sum)?.next ?? null; next !== null; next = coveredOf(sum)?.next ?? null) {
        const bounds = coveredOf(data);
        const times = { ...asParameters(place.range, Date.now() / 1000), end_time: bounds?.to };
        const part = await ask<Data>(
          address(path, { ...query, ...(options.ranged ? times : {}), after: next }),
          controller.signal,
        );
        sum = join(sum, part);
        setState({ url: question, data: sum, error: null });
      }
    };
    const ended = (error: ApiError | null) => {
      if (going.current === controller) {
        going.current = null;
        setGoingOn(false);
      }
      if (error !== null) {
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
  }, []);

  const again = useCallback(() => {
    partial.current = false;
    setRound((before) => before + 1);
  }, []);

  const loading = path !== null && state.url !== question;
  return { data: state.data, error: loading ? null : state.error, loading, goingOn, goOn, stop, again };
}

function coveredOf(data: unknown): Covered | null {
  const covered = (data as { covered?: Covered } | null)?.covered;
  return covered ?? null;
}

function asFailure(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, String(error));
}
