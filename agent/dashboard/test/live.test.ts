import { describe, expect, test } from "vitest";

import { KEPT, PATIENCE, freshness, withSecond } from "../src/api/feed";
import { address, sentence } from "../src/api/client";
import { prepend, readMessage } from "../src/api/tail";
import type { Exchange, Moment } from "../src/api/types";
import { instant } from "../src/state/range";
import { highest, isEmpty, stack, take, unfinished } from "../src/charts/series";
import { path } from "../src/charts/sparkline";
import { readInsights } from "../src/state/report";
import { tick } from "./samples";

describe("how fresh it is", () => {
  test("live, paused, stale since, connecting", () => {
    expect(freshness(null, 0, null, PATIENCE - 1)).toEqual({ kind: "connecting" });
    expect(freshness(null, 0, null, PATIENCE)).toEqual({ kind: "stale", since: 0 });
    expect(freshness(null, 0, 10_000, 10_000 + PATIENCE - 1)).toEqual({ kind: "live" });
    expect(freshness(null, 0, 10_000, 10_000 + PATIENCE)).toEqual({ kind: "stale", since: 10_000 });
    expect(freshness(9000, 0, 10_000, 99_999)).toEqual({ kind: "paused", since: 9000 });
  });

  test("the last seconds are kept, none twice, and not more than so many", () => {
    let seconds: readonly Moment[] = [];
    for (const time of [1, 2, 2, null, 1, 3]) {
      seconds = withSecond(seconds, tick(time));
    }
    expect(seconds.map((one) => one.time_s)).toEqual([1, 2, 3]);
    for (let time = 4; time < 1000; time += 1) {
      seconds = withSecond(seconds, tick(time));
    }
    expect(seconds.length).toBe(KEPT);
    expect(seconds.at(-1)?.time_s).toBe(999);
  });
});

describe("the live tail", () => {
  const row = (id: number) => ({ exchange_id: String(id) }) as Exchange;
  const ids = (rows: readonly Exchange[]) => rows.map((one) => Number(one.exchange_id));

  test("the newest first, and not more than so many", () => {
    expect(ids(prepend([row(2), row(1)], [row(3), row(4)], 10))).toEqual([4, 3, 2, 1]);
    expect(ids(prepend([row(2), row(1)], [row(3), row(4)], 3))).toEqual([4, 3, 2]);
    expect(ids(prepend([row(1)], [row(2), row(3), row(4)], 2))).toEqual([4, 3]);
  });

  test("messages", () => {
    expect(readMessage('{"exchanges":[],"skipped":3}')).toEqual({ kind: "rows", exchanges: [], skipped: 3 });
    expect(readMessage('{"error":"no such filter"}')).toEqual({ kind: "error", sentence: "no such filter" });
    for (const nonsense of ["", "null", "3", "[]", "{}", '{"exchanges":3}']) {
      expect(readMessage(nonsense), nonsense).toBeNull();
    }
  });
});

describe("asking", () => {
  test("addresses", () => {
    expect(address("/api/stats")).toBe("/api/stats");
    expect(address("/api/stats", { a: "x&y=z#", b: null, c: undefined, d: "", e: 0 })).toBe("/api/stats?a=x%26y%3Dz%23&e=0");
  });

  test("the sentence of a refusal", () => {
    expect(sentence({ detail: "No." })).toBe("No.");
    expect(sentence({ detail: [{ loc: ["query", "status"], msg: "a status" }, { msg: "and more" }] })).toBe("status: a status; and more");
    for (const nonsense of [null, 3, {}, { detail: {} }, { detail: [null, 3] }]) {
      expect(sentence(nonsense)).toBe("");
    }
  });
});

describe("what charts draw", () => {
  test("steps that are not over are left out, but never all", () => {
    const series = (times: number[], to: number) => ({ times, step: 10, covered: { to: instant(to) } }) as never;
    expect(unfinished(series([100, 110, 120], 125))).toBe(1);
    expect(unfinished(series([100, 110, 120], 130))).toBe(0);
    expect(unfinished(series([100, 110, 120], 115))).toBe(2);
    expect(unfinished(series([120], 125))).toBe(0);
    expect(unfinished(series([], 125))).toBe(0);
  });

  test("rates, gaps, stacks", () => {
    expect(take([10, null, 30], 3, 1, 10)).toEqual([1, null]);
    expect(take(undefined, 2, 0)).toEqual([null, null]);
    expect(stack([[1, 2], [null, 3], [4, 4]])).toEqual([[1, 2], [1, 5], [5, 9]]);
    expect(highest([null, 3, 9, 9])).toEqual({ index: 2, value: 9 });
    expect(highest([null])).toBeNull();
    expect(isEmpty([{ label: "", color: "", values: [0, null] }])).toBe(true);
    expect(isEmpty([{ label: "", color: "", values: [0, 1] }])).toBe(false);
    expect(path([0, 1, null, 1])).toBe("M0.0 19.0L32.0 1.0M96.0 1.0");
    expect(path([0, 0])).not.toContain("NaN");
  });
});

describe("the report", () => {
  test("a finding is read, and what is none is passed over", () => {
    expect(readInsights({ insights: [{ severity: "critical", title: "Slow", text: "so slow", advice: "index" }, null, 3, {}, { text: "x", severity: "constructor" }] })).toEqual([
      { severity: "high", title: "Slow", text: "so slow", advice: "index" },
      { severity: "low", title: "", text: "x", advice: "" },
    ]);
    for (const nonsense of [null, [], "x", {}, { insights: "x" }]) {
      expect(readInsights(nonsense)).toEqual([]);
    }
  });
});
