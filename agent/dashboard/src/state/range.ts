// The time range: the last so-and-so long, or from one time to another. Pure.

/** The ranges that end now, in seconds. */
export const PRESETS = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800 } as const;

/** The name of a range that ends now. */
export type Preset = keyof typeof PRESETS;

/** What is looked at; times are seconds since the epoch. */
export type Range =
  | { readonly kind: "last"; readonly preset: Preset }
  | { readonly kind: "between"; readonly from: number; readonly to: number };

/** Where nothing is said. */
export const DEFAULT: Range = { kind: "last", preset: "15m" };

/** Whether a name is that of a range that ends now. */
export function isPreset(name: string): name is Preset {
  return Object.hasOwn(PRESETS, name);
}

/** The first and the last moment at `now`, in seconds. */
export function bounds(range: Range, now: number): { from: number; to: number } {
  if (range.kind === "between") {
    return { from: range.from, to: range.to };
  }
  const to = Math.floor(now);
  return { from: to - PRESETS[range.preset], to };
}

/**
 * The times as the API takes them. A range that ends now has no end: what comes is in it; and it begins at a
 * multiple of what it is refreshed by, so that all who look on ask the same, which is answered once.
 */
export function asParameters(range: Range, now: number): Record<string, string> {
  const { from, to } = bounds(range, now);
  const every = refreshSeconds(range);
  if (range.kind === "between") {
    return { start_time: instant(from), end_time: instant(to) };
  }
  return { start_time: instant(Math.floor(from / every) * every) };
}

/**
 * How often a range is asked for again, in seconds: a longer one changes more slowly. One that is over does so too:
 * rows may come late, or a log is still being read.
 */
export function refreshSeconds(range: Range): number {
  if (range.kind === "between") {
    return range.to - range.from <= PRESETS["1h"] ? 10 : 60;
  }
  return { "15m": 4, "1h": 10, "6h": 30, "24h": 60, "7d": 120 }[range.preset];
}

/** A range between two times, whichever comes first; null where one is no time. */
export function between(one: number, other: number): Range | null {
  if (!Number.isFinite(one) || !Number.isFinite(other)) {
    return null;
  }
  const from = Math.floor(Math.min(one, other));
  const to = Math.ceil(Math.max(one, other));
  // What a date can hold.
  if (from < -62_135_596_800 || to > 253_402_300_799) {
    return null;
  }
  return { kind: "between", from, to: Math.max(to, from + 1) };
}

/** RFC 3339 in UTC, whole seconds. */
export function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** Seconds since the epoch; NaN where the text is no time. */
export function parseInstant(text: string): number {
  return Date.parse(text) / 1000;
}
