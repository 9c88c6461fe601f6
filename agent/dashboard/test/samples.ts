// What tests begin with: a second, a tick, and what an answer is about.

import type { Covered, Moment, Point, Tick } from "../src/api/types";

/** A second: so many requests, some of them errors of the server. */
export function second(time: number, requests = 1, errors = 0): Moment {
  return {
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
  };
}

/** A point of a chart, of which so many seconds are over. */
export function point(step: number, time: number, seconds: number, requests: number): Point {
  return { ...second(time, requests), time_s: time, step, seconds, p50_us: requests * 10, packets: { 1: requests * 2 } };
}

/** A tick of this second, null: of none; with these points. */
export function tick(time: number | null, points: Point[] = []): Tick {
  return {
    now: "2026-03-14T15:09:26Z",
    second: time === null ? null : second(time),
    minute: null,
    points,
    active_sessions: null,
    lost: null,
    cpus: [],
    recent: [],
    alerts: null,
  };
}

/** From one second to another; `next`: it is not all. */
export function covered(from: number, to: number, next: string | null = null): Covered {
  return {
    from: new Date(from * 1000).toISOString(),
    to: new Date(to * 1000).toISOString(),
    complete: next === null,
    source: "rows",
    next,
  };
}
