import { describe, expect, test } from "vitest";

import { type Place, START, VIEWS, format, other, parse } from "../src/state/address";
import { FIELDS, OF_EXCHANGES, OF_SESSIONS, applying, asFilter } from "../src/state/fields";
import { asParameters, between, bounds, instant, parseInstant } from "../src/state/range";

describe("the address", () => {
  test("an empty one is the overview of the last 15 minutes", () => {
    for (const hash of ["", "#", "#/", "#/nowhere", "#?x=1", "#//", "#/overview?range=2h&sort=x"]) {
      expect(parse(hash), hash).toEqual(START);
    }
    expect(format(START)).toBe("#/overview");
  });

  test("what is written is read again", () => {
    const hostile = ["<script>alert(1)</script>", "a&b=c#d?e", 'q"\'`', "\u202egpj.exe", "한글 \u{1f600}", "%41+%", "a\u0000b"];
    for (const view of VIEWS) {
      for (const value of hostile) {
        const place: Place = {
          view,
          range: { kind: "between", from: 1_773_500_000, to: 1_773_503_600 },
          filters: { target: value, user_agent: value, host: value, status: "5xx" },
          order: "oldest",
          sort: "p99",
          after: value,
        };
        expect(parse(format(place)), value).toEqual(place);
      }
    }
    const preset: Place = { ...START, range: { kind: "last", preset: "7d" }, filters: { cpus: "differ" } };
    expect(format(preset)).toBe("#/overview?range=7d&cpus=differ");
    expect(parse(format(preset))).toEqual(preset);
  });

  test("what is not understood is left out", () => {
    expect(parse("#/exchanges?nonsense=1&status=&method=GET").filters).toEqual({ method: "GET" });
    expect(parse("#/exchanges?__proto__=1&constructor=2").filters).toEqual({});
    expect(parse("#/exchanges?range=constructor").range).toEqual(START.range);
    expect(parse("#/exchanges?from=yesterday&to=now").range).toEqual(START.range);
    expect(parse("#/exchanges?order=sideways").order).toBe("newest");
    expect(parse(`#/exchanges?target=${"x".repeat(100_000)}`).filters.target?.length).toBeLessThan(16_384);
  });

  test("another view begins at the first row and keeps range and filters", () => {
    const place = { ...START, after: "12", filters: { status: "5xx" }, view: "exchanges" } as const;
    expect(other(place, "sessions")).toEqual({ ...place, view: "sessions", after: null });
  });
});

describe("filters", () => {
  test("a view takes those that it knows", () => {
    const filters = { status: "5xx", protocol: "TCP", ip: "::1" };
    expect(applying(filters, OF_EXCHANGES)).toEqual({ status: "5xx", ip: "::1" });
    expect(applying(filters, OF_SESSIONS)).toEqual({ protocol: "TCP", ip: "::1" });
    expect(new Set([...OF_EXCHANGES, ...OF_SESSIONS])).toEqual(new Set(FIELDS));
  });

  test("a long value is cut where a part is enough, else it is no filter", () => {
    const long = "a".repeat(8192);
    expect(asFilter("target", long)).toBe("a".repeat(1500));
    expect(asFilter("host", long)).toBeNull();
    expect(asFilter("host", "a".repeat(1500))).toBe("a".repeat(1500));
    // Letters are never cut apart, and what they take in an address counts.
    expect(asFilter("user_agent", "한".repeat(1000))).toBe("한".repeat(166));
    expect(asFilter("target", "\u{1f600}".repeat(1000))).toBe("\u{1f600}".repeat(125));
    expect(asFilter("target", "\ud800")).toBe("\ud800");
  });
});

describe("the time range", () => {
  test("what ends now has no end for the API", () => {
    const range = { kind: "last", preset: "1h" } as const;
    expect(bounds(range, 1_773_503_600.9)).toEqual({ from: 1_773_500_000, to: 1_773_503_600 });
    expect(asParameters(range, 1_773_503_600.9)).toEqual({ start_time: "2026-03-14T14:53:20Z" });
    // Whoever asks within the same ten seconds asks the same.
    expect(asParameters(range, 1_773_503_609.9)).toEqual({ start_time: "2026-03-14T14:53:20Z" });
    expect(asParameters(range, 1_773_503_610)).toEqual({ start_time: "2026-03-14T14:53:30Z" });
  });

  test("from one time to another, whichever comes first", () => {
    const range = between(200.2, 100.7);
    expect(range).toEqual({ kind: "between", from: 100, to: 201 });
    expect(range && asParameters(range, 0)).toEqual({
      start_time: "1970-01-01T00:01:40Z",
      end_time: "1970-01-01T00:03:21Z",
    });
    expect(between(5, 5)).toEqual({ kind: "between", from: 5, to: 6 });
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e15, -1e15]) {
      expect(between(bad, 0), String(bad)).toBeNull();
    }
  });

  test("instants are read as they are written", () => {
    for (const seconds of [0, 1, 1_773_503_600, -86_400]) {
      expect(parseInstant(instant(seconds))).toBe(seconds);
    }
  });
});
