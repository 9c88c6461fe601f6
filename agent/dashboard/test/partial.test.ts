import { describe, expect, test } from "vitest";

import type { Moment, Stats, TimeSeries, Top, TopRow } from "../src/api/types";
import { runOn } from "../src/state/running";
import { bucketEnd, joinHistograms, joinSeries, joinStats, joinTop, quantile } from "../src/state/partial";

const covered = (from: number, to: number, next: string | null) => ({
  from: new Date(from * 1000).toISOString(),
  to: new Date(to * 1000).toISOString(),
  complete: next === null,
  source: "rows" as const,
  next,
});

/** Where the bucket of a time begins, as the store has it: its first four binary digits. */
function bucket(microseconds: number): number {
  let width = 1;
  while (microseconds / width >= 16) {
    width *= 2;
  }
  return Math.floor(microseconds / width) * width;
}

function stats(from: number, to: number, times: number[], errors: number): Stats {
  const histogram = joinHistograms(times.map((time) => [bucket(time), 1]), []);
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  const at = (part: number) => quantile(histogram, part) ?? 0;
  return {
    covered: covered(from, to, "1"),
    total_requests: times.length,
    avg_response_time: mean / 1000,
    success_rate: 0,
    error_rate: 0,
    rate: 0,
    errors,
    answered: times.length,
    timed: times.length,
    by_status: { "2xx": times.length - errors, "5xx": errors },
    by_outcome: { complete: times.length },
    request_bytes: 10,
    response_bytes: 20,
    ttfb_us: { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: Math.max(...times) },
    histogram,
    sessions: null,
    lost: null,
  };
}

describe("parts of statistics", () => {
  test("are the statistics of all, in whatever parts", () => {
    const all = Array.from({ length: 500 }, (_, index) => 100 + ((index * 7919) % 100_000));
    for (const at of [1, 17, 250, 499]) {
      const [late, early] = [all.slice(0, at), all.slice(at)];
      const joined = joinStats(stats(500, 1000, late, 1), { ...stats(0, 500, early, 4), covered: covered(0, 500, null) });
      const whole = stats(0, 1000, all, 5);
      expect(joined.total_requests).toBe(500);
      expect(joined.histogram).toEqual(whole.histogram);
      expect(joined.ttfb_us?.mean).toBeCloseTo(whole.ttfb_us?.mean ?? 0, 6);
      expect({ ...joined.ttfb_us, mean: 0 }).toEqual({ ...whole.ttfb_us, mean: 0 });
      expect(joined.error_rate).toBe(1);
      expect(joined.success_rate).toBe(99);
      expect(joined.rate).toBeCloseTo(0.5);
      expect(joined.by_status).toEqual({ "2xx": 495, "5xx": 5 });
      expect(joined.covered).toEqual(covered(0, 1000, null));
    }
  });

  test("nothing with nothing is nothing", () => {
    const empty: Stats = { ...stats(0, 500, [1], 0), total_requests: 0, answered: 0, timed: 0, histogram: [], by_status: {}, ttfb_us: null };
    const joined = joinStats(empty, empty);
    expect(joined.ttfb_us).toBeNull();
    expect(joined.avg_response_time).toBeNull();
    expect(joined.error_rate).toBeNull();
  });
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
  const answer: Stats = { ...stats(0, 999.5, Array.from({ length: 100 }, () => 5), 10), covered: covered(0, 999.5, null) };

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

describe("histograms", () => {
  test("a quantile is within the bucket of the value", () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([[7, 1]], 0.99)).toBe(7);
    for (const value of [0, 15, 16, 17, 1000, 65_535, 65_536, 2 ** 40]) {
      const found = quantile([[bucket(value), 3]], 0.5) ?? -1;
      expect(found, String(value)).toBeGreaterThanOrEqual(bucket(value));
      expect(found, String(value)).toBeLessThanOrEqual(bucketEnd(bucket(value)));
      expect(bucketEnd(bucket(value)), String(value)).toBeGreaterThan(value);
    }
    const even: [number, number][] = [[1, 50], [2, 40], [3, 9], [4, 1]];
    expect([0.5, 0.9, 0.99, 1].map((part) => quantile(even, part))).toEqual([1, 2, 3, 4]);
  });
});

describe("parts of time series", () => {
  const part = (times: number[], requests: number[], means: (number | null)[]): TimeSeries => ({
    covered: covered(times[0] ?? 0, (times.at(-1) ?? 0) + 10, null),
    step: 10,
    times,
    series: { requests, mean_us: means, p99_us: means },
  });

  test("steps of both are added, means weighed, percentiles those of the larger part", () => {
    const joined = joinSeries(part([20, 30], [1, 5], [100, 50]), part([10, 20], [4, 3], [null, 300]));
    expect(joined.times).toEqual([10, 20, 30]);
    expect(joined.series["requests"]).toEqual([4, 4, 5]);
    expect(joined.series["mean_us"]).toEqual([null, 250, 50]);
    expect(joined.series["p99_us"]).toEqual([null, 300, 50]);
  });
});

describe("parts of lists", () => {
  const row = (value: string, requests: number, errors: number, mean: number | null): TopRow => ({
    value,
    requests,
    errors,
    error_rate: null,
    mean_us: mean,
    p50_us: 1,
    p90_us: 1,
    p99_us: 1,
    max_us: mean,
    request_bytes: 1,
    response_bytes: 2,
  });
  const top = (rows: TopRow[], others: number): Top => ({
    covered: covered(0, 10, null),
    by: "host",
    rows,
    others: { values: 3, requests: others, errors: 0, response_bytes: 0 },
  });

  test("values of both are added and sorted again; percentiles are not made up", () => {
    const joined = joinTop(
      top([row("a", 10, 1, 100), row("b", 5, 0, null)], 2),
      top([row("b", 9, 7, 50), row("__proto__", 1, 0, 1)], 0),
      (one) => one.requests,
    );
    expect(joined.rows.map((one) => [one.value, one.requests, one.errors, one.mean_us])).toEqual([
      ["b", 14, 7, 50],
      ["a", 10, 1, 100],
      ["__proto__", 1, 0, 1],
    ]);
    expect(joined.rows[0]?.p99_us).toBeNull();
    expect(joined.rows[0]?.error_rate).toBe(50);
    expect(joined.others?.requests).toBe(2);
  });
});
