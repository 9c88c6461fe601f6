import { describe, expect, test } from "vitest";

import type { Stats } from "../src/api/types";
import { rateNow, runOn } from "../src/state/running";
import { covered, second } from "./samples";

describe("sums that run on", () => {
  const answer: Stats = {
    covered: covered(0, 999.5),
    total_requests: 100,
    avg_response_time: 0.005,
    success_rate: 90,
    error_rate: 10,
    rate: 0.1,
    since: new Date(0).toISOString(),
    errors: 10,
    answered: 100,
    timed: 100,
    by_status: { "2xx": 90, "5xx": 10 },
    by_outcome: { complete: 100 },
    request_bytes: 10,
    response_bytes: 20,
    ttfb_us: { mean: 5, p50: 5, p90: 5, p95: 5, p99: 5, max: 5 },
    histogram: [[5, 100]],
    sessions: null,
    lost: null,
  };

  test("whole seconds behind the answer are added, those that it has are not", () => {
    const on = runOn(answer, [second(998, 7, 7), second(999, 7, 7), second(1000, 60, 0), second(1001, 40, 10)]);
    expect(on.total_requests).toBe(200);
    expect(on.errors).toBe(20);
    expect(on.error_rate).toBe(10);
    expect(on.success_rate).toBe(90);
    expect(on.rate).toBeCloseTo(200 / 1002);
    expect(on.ttfb_us).toEqual(answer.ttfb_us);
  });

  test("a store that is younger than the range has a rate of its own time", () => {
    const young = { ...answer, since: new Date(900_000).toISOString() };
    expect(runOn(young, [second(1000, 60, 0), second(1001, 40, 10)]).rate).toBeCloseTo(200 / 102);
    const fresh = { ...answer, since: new Date(1_000_900).toISOString() };
    expect(runOn(fresh, [second(1000, 1, 0)]).rate).toBe(101);
  });

  test("where nothing came since, and where the answer is a part, it stays", () => {
    expect(runOn(answer, [second(999, 7, 7)])).toBe(answer);
    const part = { ...answer, covered: covered(500, 999.5, "x") };
    expect(runOn(part, [second(1000, 60, 0)])).toBe(part);
  });
});

test("a store that is younger than a minute has a rate of its own time", () => {
  const minute = { requests: 120, rate: 2 } as Parameters<typeof rateNow>[0];
  const now = "2026-11-22T12:00:00Z";
  expect(rateNow(minute, "2026-11-22T11:59:50Z", now)).toBe(12);
  expect(rateNow(minute, "2026-11-22T11:59:59.9Z", now)).toBe(120);
  expect(rateNow(minute, "2026-11-22T11:58:00Z", now)).toBe(2);
  expect(rateNow(minute, null, now)).toBe(2);
  expect(rateNow(minute, undefined, undefined)).toBe(2);
  expect(rateNow(null, "2026-11-22T11:59:50Z", now)).toBe(null);
});
