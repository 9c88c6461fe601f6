// The live feed: what happened in each second, over server-sent events; and how fresh it is.

import type { Moment, Tick } from "./types";

/** How fresh what is shown is; times in milliseconds. */
export type Freshness =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "paused"; readonly since: number }
  | { readonly kind: "stale"; readonly since: number };

/** Without a tick for so long (milliseconds) it is not live. */
export const PATIENCE = 4000;

/** Seconds that are kept for small charts. */
export const KEPT = 120;

/** Says how fresh it is. `started`: when the feed was opened; `last`: when the last tick came. */
export function freshness(pausedAt: number | null, started: number, last: number | null, now: number): Freshness {
  if (pausedAt !== null) {
    return { kind: "paused", since: pausedAt };
  }
  if (last === null) {
    return now - started < PATIENCE ? { kind: "connecting" } : { kind: "stale", since: started };
  }
  return now - last < PATIENCE ? { kind: "live" } : { kind: "stale", since: last };
}

/** The seconds with one more; a bounded list, in order, none twice. */
export function withSecond(seconds: readonly Moment[], tick: Tick): readonly Moment[] {
  const second = tick.second;
  if (second === null || second === undefined) {
    return seconds;
  }
  const last = seconds.at(-1);
  const isNew = last === undefined || (second.time_s ?? 0) > (last.time_s ?? 0);
  return isNew ? [...seconds, second].slice(-KEPT) : seconds;
}

/** What a feed tells. */
export interface Listener {
  tick(tick: Tick): void;
  /** It was refused: whoever asks must log in, perhaps. */
  refused(): void;
}

/** A connection that opens itself again, each time a little later. */
export class Feed {
  private source: EventSource | null = null;
  private again: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
  ) {}

  open(): void {
    this.close();
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener("tick", (event) => {
      this.failures = 0;
      const tick = parseTick(event.data);
      if (tick !== null) {
        this.listener.tick(tick);
      }
    });
    // The browser tries again by itself, but not after a refusal; and after `bye` the server is gone.
    source.addEventListener("bye", () => this.later());
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        this.listener.refused();
        this.later();
      }
    });
  }

  close(): void {
    this.source?.close();
    this.source = null;
    if (this.again !== null) {
      clearTimeout(this.again);
      this.again = null;
    }
  }

  private later(): void {
    this.close();
    this.failures += 1;
    const pause = Math.min(15_000, 500 * 2 ** Math.min(this.failures, 6)) * (0.5 + Math.random() / 2);
    this.again = setTimeout(() => this.open(), pause);
  }
}

function parseTick(text: unknown): Tick | null {
  try {
    const tick: unknown = JSON.parse(String(text));
    return typeof tick === "object" && tick !== null && "now" in tick ? (tick as Tick) : null;
  } catch {
    return null;
  }
}
