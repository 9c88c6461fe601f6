import { describe, expect, test } from "vitest";

import {
  NONE,
  axisTimes,
  bytes,
  clock,
  dayAndTime,
  localHour,
  microseconds,
  number,
  percent,
  short,
  span,
  visible,
  whenever,
  zone,
} from "../src/format";
import { speak } from "../src/words";

describe("numbers", () => {
  const check = (format: (value: number | null) => string, value: number | null, text: string) =>
    expect(format(value), String(value)).toBe(text);

  test("have separators, and few digits", () => {
    check(number, 1_234_567, "1,234,567");
    check(number, 0, "0");
    check(number, 12.345, "12.3");
    check(number, 1.5, "1.50");
    check(number, 1234.5, "1,235");
    check(number, null, NONE);
    check(number, Number.NaN, NONE);
    check(number, -3, "-3");
  });

  test("in few letters", () => {
    check(short, 999, "999");
    check(short, 1000, "1k");
    check(short, 12_345, "12.3k");
    check(short, 1_234_567, "1.23M");
    check(short, 5e9, "5G");
    check(short, null, NONE);
  });

  test("with their units", () => {
    check(percent, 0, "0 %");
    check(percent, 100, "100 %");
    check(percent, 4.714, "4.71 %");
    check(percent, 99.98, "100 %");
    check(percent, 4.2, "4.2 %");
    check(percent, 0.0035, "<0.01 %");
    check(percent, 0.01, "0.01 %");
    check(percent, null, NONE);
    check(microseconds, 0, "0 µs");
    check(microseconds, 999, "999 µs");
    check(microseconds, 1234, "1.23 ms");
    check(microseconds, 61_000, "61 ms");
    check(microseconds, 2_410_000, "2.41 s");
    check(microseconds, 125_000_000, "2 min 5 s");
    check(microseconds, null, NONE);
    check(bytes, 0, "0 B");
    check(bytes, 1023, "1,023 B");
    check(bytes, 1024, "1 KiB");
    check(bytes, 1_500_000, "1.43 MiB");
    check(bytes, 5 * 1024 ** 4, "5 TiB");
    check(bytes, null, NONE);
  });

  test("spans of time", () => {
    expect(span(0)).toBe("0 s");
    expect(span(59.6)).toBe("1 min");
    expect(span(3600)).toBe("1 h");
    expect(span(93_784)).toBe("1 d 2 h");
    expect(span(86_401)).toBe("1 d");
  });
});

describe("times", () => {
  // The zone of the tests is fixed in vite.config.ts: nine hours ahead of UTC.
  const time = "2026-03-14T15:09:26.539601633Z";

  test("are those of the zone, with 24 hours", () => {
    expect(clock(time)).toBe("00:09:26");
    expect(clock(time, true)).toBe("00:09:26.539");
    expect(dayAndTime(time)).toBe("2026-03-15 00:09:26");
    expect(dayAndTime("nonsense")).toBe(NONE);
    expect(zone(new Date(time))).toBe("Asia/Seoul (UTC+9)");
  });

  test("the day stands where it is not today", () => {
    const now = Date.parse(time) / 1000;
    expect(whenever(now - 60, now)).toBe("00:08:26");
    expect(whenever(now - 600, now)).toBe("2026-03-14 23:59:26");
  });

  test("an axis says what differs, and the day where it changes", () => {
    const midnight = Date.parse("2026-03-14T15:00:00Z") / 1000;
    expect(axisTimes([midnight - 3600, midnight, midnight + 3600], 3600)).toEqual(["23:00", "00:00\n03-15", "01:00"]);
    expect(axisTimes([midnight, midnight + 5], 5)).toEqual(["00:00:00", "00:00:05"]);
    expect(axisTimes([midnight, midnight + 86_400], 86_400)).toEqual(["03-15", "03-16"]);
  });

  test("hours of UTC are hours of the zone", () => {
    const now = new Date(time);
    expect(localHour(0, now)).toBe(9);
    expect(localHour(20, now)).toBe(5);
  });
});

describe("hostile text", () => {
  test("what is not seen is written out, all else is as it is", () => {
    const check = (text: string, shown: string) => expect(visible(text)).toBe(shown);
    check("<script>alert('x')</script>", "<script>alert('x')</script>");
    check("\u202egpj.exe", "\\u202egpj.exe");
    check("a\u0000b\nc\u001b[31m", "a\\u0000b\\u000ac\\u001b[31m");
    check("\u2066x\u2069\u200f\u200b\ufeff\u00ad", "\\u2066x\\u2069\\u200f\\u200b\\ufeff\\u00ad");
    check("한글 é א \u{1f600}", "한글 é א \u{1f600}");
    check("\u0085\u2028", "\\u0085\\u2028");
  });
});

test("spans have the units of the language", () => {
  speak("ko");
  expect(span(245)).toBe("4분 5초");
  expect(span(2 * 86_400 + 3 * 3600)).toBe("2일 3시간");
  expect(span(0)).toBe("0초");
  speak("en");
  expect(span(245)).toBe("4 min 5 s");
});
