// The live feed as the page holds it: the last tick, the last seconds, and when they came.

import { useEffect, useRef, useState } from "preact/hooks";

import { Feed, withSecond } from "../api/feed";
import { ask } from "../api/client";
import type { Moment, Point, Tick } from "../api/types";
import { withPoints } from "./points";

/** What came so far. */
export interface Live {
  readonly tick: Tick | null;
  readonly seconds: readonly Moment[];
  /** The newest points of charts over time. */
  readonly points: readonly Point[];
  /** How many came. */
  readonly ticks: number;
  /** Milliseconds: when the feed was opened, and when the last tick came. */
  readonly started: number;
  readonly last: number | null;
  readonly now: number;
}

/** Listens while `open` is true, and while the page can be seen. */
export function useFeed(open: boolean, unauthorized: () => void): Live {
  const [live, setLive] = useState<Live>(() => {
    const now = Date.now();
    return { tick: null, seconds: [], points: [], ticks: 0, started: now, last: null, now };
  });
  const seen = useVisibility();
  const refused = useRef(unauthorized);
  refused.current = unauthorized;

  useEffect(() => {
    if (!open || !seen) {
      return undefined;
    }
    setLive((before) => ({ ...before, started: Date.now(), last: null, now: Date.now() }));
    const feed = new Feed("/api/live", {
      tick: (tick) =>
        setLive((before) => ({
          tick,
          seconds: withSecond(before.seconds, tick),
          points: withPoints(before.points, tick),
          ticks: before.ticks + 1,
          started: before.started,
          last: Date.now(),
          now: Date.now(),
        })),
      // The feed does not say why: another question does.
      refused: () => {
        ask("/api/agent").catch((error: unknown) => {
          if ((error as { status?: number }).status === 401) {
            refused.current();
          }
        });
      },
    });
    feed.open();
    return () => feed.close();
  }, [open, seen]);

  // Without ticks somebody must look at the clock.
  useEffect(() => {
    const timer = setInterval(() => {
      setLive((before) => (Date.now() - (before.last ?? 0) > 1500 ? { ...before, now: Date.now() } : before));
    }, 1000);
    return () => clearInterval(timer);
  }, []);
  return live;
}

function useVisibility(): boolean {
  const [seen, setSeen] = useState(!document.hidden);
  useEffect(() => {
    const changed = () => setSeen(!document.hidden);
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return seen;
}
