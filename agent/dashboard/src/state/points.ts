// Charts that run on: an answer's steps, with the newest ones as they come live. Pure.

import type { Point, StatusClass, Tick, TimeSeries, Values } from "../api/types";
import { parseInstant } from "./range";

/** Points that are kept of each length of a step. */
export const KEPT = 120;

/** How far behind the sums of an answer may be, in seconds: a step that ends so near its end may not be whole. */
const BEHIND = 2;

/** The points with those of a tick: of each step what came last, in order. */
export function withPoints(points: readonly Point[], tick: Tick): readonly Point[] {
  const came = tick.points ?? [];
  if (came.length === 0) {
    return points;
  }
  const isSame = (one: Point, other: Point) => one.step === other.step && one.time_s === other.time_s;
  const kept = points.filter((point) => !came.some((one) => isSame(one, point)));
  const all = [...kept, ...came];
  // The oldest of a step that has too many goes.
  const full = new Set(came.map((one) => one.step).filter((step) => kept.filter((point) => point.step === step).length >= KEPT));
  return all.filter((point) => {
    const first = full.has(point.step) && point.step;
    if (first === false) {
      return true;
    }
    full.delete(first);
    return false;
  });
}

/** The series with the points of its steps: what has gone on since it was asked for, and the step that goes on now. */
export function seriesOn(series: TimeSeries, points: readonly Point[]): TimeSeries {
  const { covered, step } = series;
  const live = points.filter((point) => point.step === step && point.seconds > 0);
  const newest = live.at(-1);
  const first = series.times[0];
  const end = parseInstant(covered.to);
  if (newest === undefined || first === undefined || !covered.complete || newest.time_s + step <= end) {
    return series;
  }
  const times = [...series.times];
  for (let time = (times.at(-1) ?? first) + step; time <= newest.time_s; time += step) {
    times.push(time);
  }
  const known = new Map(live.map((point) => [point.time_s, point]));
  const places = times.map((time, index): Place => {
    const point = known.get(time);
    const isWhole = time + step <= end - BEHIND;
    if (isWhole || point === undefined || (point.seconds < step && point !== newest)) {
      const seconds = Math.min(step, Math.max(1, end - time));
      return { index, point: null, grows: step / seconds };
    }
    return { index, point, grows: step / point.seconds };
  });
  const counts = (values: Values | undefined, of: (point: Point) => number) =>
    places.map(({ index, point, grows }) => {
      const value = point === null ? (values?.[index] ?? null) : of(point);
      return value === null ? null : value * grows;
    });
  const figures = (values: Values | undefined, of: (point: Point) => number | null) =>
    places.map(({ index, point }) => (point === null ? (values?.[index] ?? null) : of(point)));
  const found: TimeSeries["series"] = {};
  for (const [name, values] of Object.entries(series.series)) {
    found[name] = times.map((_, index) => values?.[index] ?? null);
  }
  for (const name of ["requests", "errors", "request_bytes", "response_bytes"] as const) {
    found[name] = counts(series.series[name], (point) => point[name]);
  }
  for (const name of ["mean_us", "p50_us", "p95_us", "p99_us"] as const) {
    found[name] = figures(series.series[name], (point) => point[name]);
  }
  for (const name of ["1xx", "2xx", "3xx", "4xx", "5xx", "other"] as StatusClass[]) {
    found[`status_${name}`] = counts(series.series[`status_${name}`], (point) => point.status[name] ?? 0);
  }
  const cpus: NonNullable<TimeSeries["cpus"]> = {};
  for (const cpu of new Set([...Object.keys(series.cpus ?? {}), ...live.flatMap((point) => Object.keys(point.packets))])) {
    cpus[cpu] = { packets: counts(series.cpus?.[cpu]?.packets, (point) => point.packets[cpu] ?? 0) };
  }
  // What goes on counts as far as it is: nothing of it is left out as not over.
  const to = new Date((newest.time_s + step) * 1000).toISOString();
  return { ...series, covered: { ...covered, to }, times, series: found, cpus };
}

/** Where a value comes from. */
interface Place {
  readonly index: number;
  /** Null: the answer. */
  readonly point: Point | null;
  /** By how much a count is to grow so that it is one of a whole step. */
  readonly grows: number;
}
