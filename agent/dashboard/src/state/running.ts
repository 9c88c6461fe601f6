// Sums that run on: those of an answer, with the seconds that were live since. Pure.

import type { Minute, Moment, Stats, StatusClass } from "../api/types";

/** The sums with the whole seconds behind what the answer covers; times and histogram stay those of the answer. */
export function runOn(stats: Stats, seconds: readonly Moment[]): Stats {
  const end = Math.ceil(Date.parse(stats.covered.to) / 1000);
  const since = seconds.filter((second) => (second.time_s ?? 0) >= end);
  if (since.length === 0 || !stats.covered.complete) {
    return stats;
  }
  const sum = (count: (second: Moment) => number) => since.reduce((total, second) => total + count(second), 0);
  const byStatus: Stats["by_status"] = { ...stats.by_status };
  for (const name of ["1xx", "2xx", "3xx", "4xx", "5xx", "other"] as StatusClass[]) {
    byStatus[name] = (byStatus[name] ?? 0) + sum((second) => second.status[name] ?? 0);
  }
  const total = stats.total_requests + sum((second) => second.requests);
  const errors = stats.errors + sum((second) => second.errors);
  const answered = stats.answered + sum((second) => second.requests - (second.status.other ?? 0));
  // Before the first record nothing could be counted.
  const start = Math.max(Date.parse(stats.covered.from), Date.parse(stats.since ?? stats.covered.from));
  const covered = Math.max(1, end - start / 1000 + since.length);
  return {
    ...stats,
    total_requests: total,
    errors,
    answered,
    by_status: byStatus,
    success_rate: answered > 0 ? (100 * (byStatus["2xx"] ?? 0)) / answered : null,
    error_rate: answered > 0 ? (100 * errors) / answered : null,
    rate: covered > 0 ? total / covered : stats.rate,
  };
}

/** Seconds of the last minute. */
const MINUTE = 60;

/** Requests a second in the last minute, of which as much counts as there was since the first record. */
export function rateNow(minute: Minute | null, since: string | null | undefined, now: string | undefined): number | null {
  const age = (Date.parse(now ?? "") - Date.parse(since ?? "")) / 1000;
  return minute !== null && age < MINUTE ? minute.requests / Math.max(1, age) : (minute?.rate ?? null);
}
