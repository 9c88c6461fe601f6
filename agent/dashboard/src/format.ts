// Numbers, times and hostile text as people read them. Pure but for the time zone of the browser and the language.

import { t } from "./words";

/** What stands where there is nothing. */
export const NONE = "–";

/** A number with separators: whole where it is large, with a few digits where it is small. */
export function number(value: number | null | undefined): string {
  if (!isNumber(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return withSeparators(value, digits);
}

/** A number in few letters, for axes and small places: 12.3k. */
export function short(value: number | null | undefined): string {
  if (!isNumber(value)) {
    return NONE;
  }
  for (const [size, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    if (Math.abs(value) >= size) {
      return `${trim(value / size)}${letter}`;
    }
  }
  return trim(value);
}

/** Of a hundred, with two digits where they tell something. */
export function percent(value: number | null | undefined): string {
  if (!isNumber(value)) {
    return NONE;
  }
  // A few among many are not none.
  if (value > 0 && value < 0.01) {
    return "<0.01 %";
  }
  return `${withSeparators(value, 0, Math.abs(value) >= 10 ? 1 : 2)} %`;
}

/** Microseconds in the unit in which they are short. */
export function microseconds(value: number | null | undefined): string {
  if (!isNumber(value)) {
    return NONE;
  }
  const size = Math.abs(value);
  if (size < 1000) {
    return `${trim(value)} µs`;
  }
  if (size < 1e6) {
    return `${trim(value / 1000)} ms`;
  }
  return size < 60e6 ? `${trim(value / 1e6)} s` : span(value / 1e6);
}

/** Bytes in powers of 1024. */
export function bytes(value: number | null | undefined): string {
  if (!isNumber(value)) {
    return NONE;
  }
  for (const [power, unit] of [[4, "TiB"], [3, "GiB"], [2, "MiB"], [1, "KiB"]] as const) {
    if (Math.abs(value) >= 1024 ** power) {
      return `${trim(value / 1024 ** power)} ${unit}`;
    }
  }
  return `${trim(value)} B`;
}

/** How long something took, in seconds: 2 d 3 h, 4 min 5 s. */
export function span(seconds: number): string {
  const whole = Math.round(seconds);
  const parts: [number, "d" | "h" | "min" | "s"][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) {
    return t("unit_s", { count: 0 });
  }
  const said = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return said.map(([count, unit]) => t(`unit_${unit}`, { count })).join(" ");
}

/** The time of day in the zone of the browser, 24 hours: 14:03:07.123. */
export function clock(time: string | number, milliseconds = false): string {
  const date = asDate(time);
  if (date === null) {
    return NONE;
  }
  const day = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return milliseconds ? `${day}.${String(date.getMilliseconds()).padStart(3, "0")}` : day;
}

/** Day and time in the zone of the browser: 2026-03-14 14:03:07. */
export function dayAndTime(time: string | number, milliseconds = false): string {
  const date = asDate(time);
  return date === null ? NONE : `${day(date)} ${clock(time, milliseconds)}`;
}

/** Day and time, without the day where it is that of `now`. */
export function whenever(time: string | number, now: number, milliseconds = false): string {
  const date = asDate(time);
  const today = asDate(now);
  const same = date !== null && today !== null && day(date) === day(today);
  return same ? clock(time, milliseconds) : dayAndTime(time, milliseconds);
}

/** What stands under a chart's time axis: only what differs from mark to mark. */
export function axisTimes(seconds: readonly number[], step: number): string[] {
  let last = "";
  return seconds.map((second) => {
    const date = new Date(second * 1000);
    const today = day(date).slice(5);
    const time = clock(second);
    const label = step >= 86_400 ? today : step >= 60 ? time.slice(0, 5) : time;
    const changed = step < 86_400 && last !== "" && last !== today;
    last = today;
    return changed ? `${label}\n${today}` : label;
  });
}

/** The zone of the browser with its distance from UTC: Asia/Seoul (UTC+9). */
export function zone(now: Date): string {
  const minutes = -now.getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const distance = `UTC${minutes < 0 ? "−" : "+"}${hours}${rest === 0 ? "" : `:${two(rest)}`}`;
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === "UTC" || minutes === 0 ? "UTC" : `${name} (${distance})`;
}

/** An hour of the day in UTC as the hour here; null where the zones are not whole hours apart. */
export function localHour(hour: number, now: Date): number | null {
  const minutes = -now.getTimezoneOffset();
  return minutes % 60 === 0 ? (((hour + minutes / 60) % 24) + 24) % 24 : null;
}

// Control characters, and those that are not seen or turn the direction of what stands behind them.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Text from the wire with what cannot be seen written out, so that it can neither hide nor turn anything. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function asDate(time: string | number): Date | null {
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(date.getTime()) ? null : date;
}

function day(date: Date): string {
  const year = String(date.getFullYear()).padStart(4, "0");
  return `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function trim(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return withSeparators(Number(value.toFixed(digits)), 0, digits);
}

function withSeparators(value: number, least: number, most = least): string {
  return formatter(least, most).format(value);
}

const FORMATTERS = new Map<string, Intl.NumberFormat>();

// English and Korean write numbers alike.
function formatter(least: number, most: number): Intl.NumberFormat {
  const key = `${least} ${most}`;
  const known = FORMATTERS.get(key);
  if (known !== undefined) {
    return known;
  }
  const made = new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most });
  FORMATTERS.set(key, made);
  return made;
}
