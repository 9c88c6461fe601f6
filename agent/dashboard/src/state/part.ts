// A part of a view: an answer to the view's question, asked for again until it is whole.

import { useEffect, useRef, useState } from "preact/hooks";

import { type Query, address, ask, isAbort } from "../api/client";
import { type Answer, type Held, asFailure, coveredOf } from "./answer";
import { isPartial, useSearch } from "./search";
import { useShell } from "./shell";

/** Asks for `path`; null: nothing is asked for. `join`: an answer that goes on is the rest alone, and is put to the one before. */
export function usePart<Data>(
  path: string | null,
  query: Query,
  join?: (before: Data, rest: Data) => Data,
): Answer<Data> {
  const search = useSearch();
  const { unauthorized } = useShell();
  const [state, setState] = useState<Held<Data>>({ question: "", data: null, error: null });
  const part = path === null ? "" : address(path, query);
  const question = `${part} ${search.question}`;
  const last = useRef<{ part: string; asking: number; data: Data | null }>({ part: "", asking: 0, data: null });
  const current = useRef<AbortController | null>(null);

  useEffect(() => {
    if (path === null) {
      return;
    }
    const { asking } = search;
    const isNew = last.current.part !== part || last.current.asking !== asking;
    const before = isNew ? null : last.current.data;
    const covered = before === null ? null : coveredOf(before);
    if (!isNew && !isPartial(covered)) {
      return;
    }
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    last.current = { part, asking, data: before };
    search.begin(part);
    const after = isPartial(covered) ? covered.next : null;
    ask<Data>(address(path, { ...query, ...search.times, after }), controller.signal)
      .then((found) => {
        const data = before !== null && join !== undefined ? join(before, found) : found;
        last.current = { part, asking, data };
        setState({ question, data, error: null });
        search.end(part, coveredOf(data), false);
      })
      .catch((error: unknown) => {
        if (isAbort(error)) {
          return;
        }
        const failure = asFailure(error);
        if (failure.status === 401) {
          unauthorized();
        }
        setState((held) => ({ question, data: held.question === question ? held.data : null, error: failure }));
        search.end(part, null, true);
      });
  }, [part, search.asking, search.round]);

  // What is no longer wanted is given up.
  useEffect(() => {
    return () => {
      current.current?.abort();
      search.leave(part);
    };
  }, [part]);

  const loading = path !== null && state.question !== question;
  return {
    data: state.data,
    error: loading ? null : state.error,
    loading,
    goingOn: false,
    goOn: search.goOn,
    stop: search.stop,
    again: search.again,
  };
}
