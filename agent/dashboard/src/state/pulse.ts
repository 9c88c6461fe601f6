// A count that grows while the page is watched and not paused.

import { useEffect, useRef, useState } from "preact/hooks";

import { useShell } from "./shell";

/** Grows by one every so many seconds. */
export function usePulse(seconds: number): number {
  const { freshness } = useShell();
  const [count, setCount] = useState(0);
  const paused = useRef(false);
  paused.current = freshness.kind === "paused";
  useEffect(() => {
    const timer = setInterval(() => {
      if (!paused.current && !document.hidden) {
        setCount((before) => before + 1);
      }
    }, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return count;
}
