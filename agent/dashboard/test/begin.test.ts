import { expect, test } from "vitest";

import { beginning } from "../src/state/begin";

const NOW = Date.parse("2026-11-21T12:00:00Z") / 1000;

function check(from: string, to: string, expected: unknown) {
  expect(beginning({ from, to }, NOW), `${from} ${to}`).toEqual(expected);
}

test("a log that goes on is looked at as usual", () => {
  check("2026-11-20T00:00:00Z", "2026-11-21T11:50:00Z", null);
  check("2026-11-20T00:00:00Z", "2026-11-21T12:30:00Z", null);
});

test("of one that ended today the range ends now", () => {
  check("2026-11-20T00:00:00Z", "2026-11-21T11:30:00Z", { kind: "last", preset: "1h" });
  check("2026-11-20T00:00:00Z", "2026-11-20T13:00:00Z", { kind: "last", preset: "24h" });
});

test("of one that ended before it is that of its lines, of the last week", () => {
  const seconds = (text: string) => Date.parse(text) / 1000;
  check("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", {
    kind: "between",
    from: seconds("2026-11-01T00:00:00Z"),
    to: seconds("2026-11-02T00:00:01Z"),
  });
  check("2020-01-01T00:00:00Z", "2026-11-02T00:00:00Z", {
    kind: "between",
    from: seconds("2026-10-26T00:00:00Z"),
    to: seconds("2026-11-02T00:00:01Z"),
  });
});

test("what is no time changes nothing", () => {
  check("", "yesterday", null);
  check("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", null);
});
