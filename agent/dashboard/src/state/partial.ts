// Putting the parts of an answer together: what must be searched row by row comes in parts, the
// newest first, and sums and histograms of parts can be added. Pure.

import type { Covered, Stats, Times, TimeSeries, Top, TopRow, Values } from "../api/types";

type Bucket = [number, number];

/** Two parts as one, of which `later` goes on where `earlier` stopped. */
export function joinCovered(earlier: Covered, later: Covered): Covered {
  const before = Date.parse(later.from) < Date.parse(earlier.from);
  return { ...later, from: before ? later.from : earlier.from, to: earlier.to };
}

/** Statistics of two parts. */
export function joinStats(one: Stats, other: Stats): Stats {
  const covered = joinCovered(one.covered, other.covered);
  const total = one.total_requests + other.total_requests;
  const answered = one.answered + other.answered;
  const errors = one.errors + other.errors;
  const byStatus = add(one.by_status, other.by_status);
  const histogram = joinHistograms(one.histogram, other.histogram);
  const times = joinTimes(one, other, histogram);
  const seconds = (Date.parse(covered.to) - Date.parse(covered.from)) / 1000;
  return {
    covered,
    total_requests: total,
    avg_response_time: times === null ? null : round(times.mean / 1000),
    success_rate: percent(byStatus["2xx"] ?? 0, answered),
    error_rate: percent(errors, answered),
    rate: seconds > 0 ? total / seconds : null,
    errors,
    answered,
    timed: one.timed + other.timed,
    by_status: byStatus,
    by_outcome: add(one.by_outcome, other.by_outcome),
    request_bytes: one.request_bytes + other.request_bytes,
    response_bytes: one.response_bytes + other.response_bytes,
    ttfb_us: times,
    histogram,
    sessions: one.sessions,
    lost: one.lost,
  };
}

/** Two histograms as one, by where buckets begin. */
export function joinHistograms(one: Bucket[], other: Bucket[]): Bucket[] {
  const counts = new Map<number, number>();
  for (const [from, count] of [...one, ...other]) {
    counts.set(from, (counts.get(from) ?? 0) + count);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/** Where the bucket that begins here ends: buckets share their first four binary digits. */
export function bucketEnd(from: number): number {
  if (from < 16) {
    return from + 1;
  }
  return from + 2 ** (Math.floor(Math.log2(from)) - 3);
}

/** A quantile (0 to 1) of a histogram that is in order: the middle of its bucket. Null where it is empty. */
export function quantile(histogram: Bucket[], part: number): number | null {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) {
    return null;
  }
  const wanted = Math.max(1, Math.ceil(total * part));
  let seen = 0;
  for (const [from, count] of histogram) {
    seen += count;
    if (seen >= wanted) {
      return from < 16 ? from : (from + bucketEnd(from)) / 2;
    }
  }
  return null;
}

/** Time series of two parts with one step. Percentiles of a step that both have a part of are those of the larger part. */
export function joinSeries(one: TimeSeries, other: TimeSeries): TimeSeries {
  const times = [...new Set([...one.times, ...other.times])].sort((a, b) => a - b);
  const names = new Set([...Object.keys(one.series), ...Object.keys(other.series)]);
  const series: Record<string, Values> = {};
  const weights: [number[], number[]] = [spread(one, "requests", times), spread(other, "requests", times)];
  for (const name of names) {
    const left = column(one, name, times);
    const right = column(other, name, times);
    series[name] = times.map((_, index) => {
      const a = left[index] ?? null;
      const b = right[index] ?? null;
      if (a === null || b === null) {
        return a ?? b;
      }
      if (!name.endsWith("_us")) {
        return a + b;
      }
      const [mine, theirs] = [weights[0][index] ?? 0, weights[1][index] ?? 0];
      if (name === "mean_us" && mine + theirs > 0) {
        return (a * mine + b * theirs) / (mine + theirs);
      }
      return mine >= theirs ? a : b;
    });
  }
  return { covered: joinCovered(one.covered, other.covered), step: one.step, times, series, cpus: one.cpus ?? {} };
}

/** The rows of two parts, without percentiles: those of parts cannot be added. */
export function joinTop(one: Top, other: Top, sort: (row: TopRow) => number): Top {
  const rows = new Map<string, TopRow>(one.rows.map((row) => [row.value, row]));
  for (const row of other.rows) {
    const mine = rows.get(row.value);
    rows.set(row.value, mine === undefined ? row : joinRows(mine, row));
  }
  const others = {
    values: null,
    requests: (one.others?.requests ?? 0) + (other.others?.requests ?? 0),
    errors: (one.others?.errors ?? 0) + (other.others?.errors ?? 0),
    response_bytes: (one.others?.response_bytes ?? 0) + (other.others?.response_bytes ?? 0),
  };
  return {
    covered: joinCovered(one.covered, other.covered),
    by: one.by,
    rows: [...rows.values()].sort((a, b) => sort(b) - sort(a)),
    others: others.requests > 0 ? others : null,
  };
}

function joinRows(one: TopRow, other: TopRow): TopRow {
  const requests = one.requests + other.requests;
  const errors = one.errors + other.errors;
  const means = [one, other].filter((row) => row.mean_us !== null);
  const weight = means.reduce((sum, row) => sum + row.requests, 0);
  const maxima = [one.max_us, other.max_us].filter((value) => value !== null);
  return {
    value: one.value,
    requests,
    errors,
    error_rate: percent(errors, requests),
    mean_us: weight > 0 ? means.reduce((sum, row) => sum + (row.mean_us ?? 0) * row.requests, 0) / weight : null,
    p50_us: null,
    p90_us: null,
    p99_us: null,
    max_us: maxima.length > 0 ? Math.max(...maxima) : null,
    request_bytes: one.request_bytes + other.request_bytes,
    response_bytes: one.response_bytes + other.response_bytes,
  };
}

function joinTimes(one: Stats, other: Stats, histogram: Bucket[]): Times | null {
  const [mine, theirs] = [one.ttfb_us, other.ttfb_us];
  if (mine === null || theirs === null) {
    return mine ?? theirs;
  }
  const timed = one.timed + other.timed;
  const at = (part: number, name: keyof Times) => quantile(histogram, part) ?? Math.max(mine[name], theirs[name]);
  return {
    mean: timed > 0 ? (mine.mean * one.timed + theirs.mean * other.timed) / timed : mine.mean,
    p50: at(0.5, "p50"),
    p90: at(0.9, "p90"),
    p95: at(0.95, "p95"),
    p99: at(0.99, "p99"),
    max: Math.max(mine.max, theirs.max),
  };
}

function column(part: TimeSeries, name: string, times: number[]): Values {
  const at = new Map(part.times.map((time, index) => [time, part.series[name]?.[index] ?? null]));
  return times.map((time) => at.get(time) ?? null);
}

function spread(part: TimeSeries, name: string, times: number[]): number[] {
  return column(part, name, times).map((value) => value ?? 0);
}

function add<Key extends string>(
  one: Partial<Record<Key, number>>,
  other: Partial<Record<Key, number>>,
): Partial<Record<Key, number>> {
  const sum: Partial<Record<Key, number>> = { ...one };
  for (const key of Object.keys(other) as Key[]) {
    sum[key] = (sum[key] ?? 0) + (other[key] ?? 0);
  }
  return sum;
}

function percent(part: number, whole: number): number | null {
  return whole > 0 ? round((100 * part) / whole) : null;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
