import { describe, expect, test } from "vitest";

import type { Moment, Stats } from "../src/api/types";
import { runOn } from "../src/state/running";

const covered = (from: number, to: number, next: string | null) => ({
  from: new Date(from * 1000).toISOString(),
  to: new Date(to * 1000).toISOString(),
  complete: next === null,
  source: "rows" as const,
  next,
});

describe("sums that run on", () => {
  const second = (time: number, requests: number, errors: number): Moment => ({
    time_s: time,
    requests,
    errors,
    status: { "2xx": requests - errors, "5xx": errors },
    mean_us: null,
    p50_us: null,
    p95_us: null,
    p99_us: null,
    request_bytes: 0,
    response_bytes: 0,
  });
  const answer: Stats = {
    covered: covered(0, 999.5, null),
    total_requests: 100,
    avg_response_time: 0.005,
    success_rate: 90,
    error_rate: 10,
    rate: 0.1,
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

  test("where nothing came since, and where the answer is a part, it stays", () => {
    expect(runOn(answer, [second(999, 7, 7)])).toBe(answer);
    const part = { ...answer, covered: covered(500, 999.5, "x") };
    expect(runOn(part, [second(1000, 60, 0)])).toBe(part);
  });
});
