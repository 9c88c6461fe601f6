import { describe, expect, test } from "vitest";

import type { Covered, Exchange, ExchangePage } from "../src/api/types";
import { joinPages } from "../src/state/partial";
import { type Part, isPartial, progressOf } from "../src/state/search";

const time = (seconds: number) => new Date(seconds * 1000).toISOString();

const covered = (from: number, to: number, next: string | null, source: Covered["source"] = "rows"): Covered => ({
  from: time(from),
  to: time(to),
  complete: next === null,
  source,
  next,
});

describe("pages in parts", () => {
  const page = (names: string[], from: number, to: number, next: string | null): ExchangePage => ({
    exchanges: names.map((name): Exchange => ({ exchange_id: name, ts: "", src_ip: "" })),
    next,
    covered: covered(from, to, next),
  });

  test("the rows of the rest stand behind those of the part, and both are covered", () => {
    const joined = joinPages("exchanges", page(["b", "a"], 50, 100, "1"), page(["c"], 20, 50, null));
    expect(joined.exchanges.map((row) => row.exchange_id)).toEqual(["b", "a", "c"]);
    expect(joined.next).toBeNull();
    expect(joined.covered).toEqual(covered(20, 100, null));
  });
});

describe("how far a search has come", () => {
  const part = (of: Covered | null, busy = false): Part => ({ covered: of, busy });
  const progress = (parts: Part[], rounds = 0, running = true) => progressOf(parts, time(0), rounds, running);

  test("as far as the last of its parts", () => {
    const parts = [part(covered(60, 100, "x")), part(covered(75, 100, "x")), part(covered(0, 100, null, "rollup"))];
    expect(progress(parts)).toEqual({ kind: "going", from: time(75), to: time(100), share: 0.25 });
    expect(progress(parts, 3, false)).toEqual({ kind: "stopped", from: time(75), to: time(100), share: 0.25 });
  });

  test("nothing is said where all was there at once, or comes from roll-ups", () => {
    expect(progress([])).toEqual({ kind: "none" });
    expect(progress([part(null, true), part(covered(0, 100, null))])).toEqual({ kind: "none" });
    expect(progress([part(covered(0, 100, null, "rollup"))], 2)).toEqual({ kind: "none" });
    expect(progress([part({ ...covered(50, 100, null), complete: false })])).toEqual({ kind: "none" });
  });

  test("what took several rounds is done", () => {
    expect(progress([part(covered(0, 100, null))], 1)).toEqual({ kind: "done", from: time(0), to: time(100) });
  });

  test("only what can go on is partial", () => {
    expect(isPartial(covered(5, 9, "x"))).toBe(true);
    // What roll-ups know from some time on only has no rest.
    expect(isPartial({ ...covered(5, 9, null), complete: false })).toBe(false);
    // A page that is full has a next one, and is no part.
    expect(isPartial({ ...covered(5, 9, "x"), complete: true })).toBe(false);
    expect(isPartial(null)).toBe(false);
    expect(isPartial(undefined)).toBe(false);
  });
});
