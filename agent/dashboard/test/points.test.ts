import { describe, expect, test } from "vitest";

import type { Point, TimeSeries } from "../src/api/types";
import { unfinished } from "../src/charts/series";
import { KEPT, seriesOn, withPoints } from "../src/state/points";
import { covered, point, tick } from "./samples";

describe("the newest points", () => {
  test("the last of each step is kept, in order, and not more than so many", () => {
    let points: readonly Point[] = [];
    for (const end of [1001, 1002, 1005, 1006]) {
      const first = Math.floor((end - 1) / 5) * 5;
      points = withPoints(points, tick(end - 1, [point(5, first, end - first, 1), point(60, 960, end - 960, 1)]));
    }
    expect(points.map(({ step, time_s, seconds }) => [step, time_s, seconds])).toEqual([
      [5, 1000, 5],
      [5, 1005, 1],
      [60, 960, 46],
    ]);
    expect(withPoints(points, tick(null))).toBe(points);
    for (let time = 1010; time < 5000; time += 5) {
      points = withPoints(points, tick(null, [point(5, time, 5, 1)]));
    }
    expect(points.filter(({ step }) => step === 5).length).toBe(KEPT);
    expect(points.filter(({ step }) => step === 60).length).toBe(1);
    expect(points.at(-1)?.time_s).toBe(4995);
  });
});

describe("a series that runs on", () => {
  const series: TimeSeries = {
    covered: covered(985, 1003.5),
    step: 5,
    times: [985, 990, 995, 1000],
    series: {
      requests: [50, 50, 40, 28],
      status_2xx: [50, 50, 40, 28],
      p50_us: [7, 7, 7, 9],
      sessions_opened: [1, 1, 1, 1],
    },
    cpus: { "0": { packets: [5, 5, 5, 5] } },
  };

  test("the step that goes on is as far as it is, by what it would be when it is over", () => {
    const on = seriesOn(series, [point(5, 1000, 5, 60), point(5, 1005, 2, 26)]);
    expect(on.times).toEqual([985, 990, 995, 1000, 1005]);
    expect(on.series["requests"]).toEqual([50, 50, 40, 60, 65]);
    expect(on.series["status_2xx"]).toEqual([50, 50, 40, 60, 65]);
    expect(on.series["p50_us"]).toEqual([7, 7, 7, 600, 260]);
    expect(on.series["sessions_opened"]).toEqual([1, 1, 1, 1, null]);
    expect(on.cpus?.["0"]?.packets).toEqual([5, 5, 5, 0, 0]);
    expect(on.cpus?.["1"]?.packets).toEqual([null, null, null, 120, 130]);
    // Nothing of it is taken for a step that is not over.
    expect(unfinished(on)).toBe(0);
    // What was asked for before is as it was.
    expect(series.times.length).toBe(4);
    expect(unfinished(series)).toBe(1);
  });

  test("a step of which seconds were missed is that of the answer, as far as it came", () => {
    const on = seriesOn(series, [point(5, 1000, 3, 999), point(5, 1005, 2, 26)]);
    expect(on.series["requests"]?.[3]).toBeCloseTo(40);
    expect(on.series["requests"]?.[4]).toBe(65);
  });

  test("steps of which nothing is known are gaps", () => {
    const on = seriesOn(series, [point(5, 1015, 1, 2)]);
    expect(on.times).toEqual([985, 990, 995, 1000, 1005, 1010, 1015]);
    expect(on.series["requests"]?.slice(4)).toEqual([null, null, 10]);
  });

  test("it stays where nothing is newer, of another step, or where the answer is a part", () => {
    expect(seriesOn(series, [])).toBe(series);
    expect(seriesOn(series, [point(10, 1000, 5, 1)])).toBe(series);
    expect(seriesOn(series, [point(5, 995, 5, 1)])).toBe(series);
    const part = { ...series, covered: covered(985, 1003.5, "x") };
    expect(seriesOn(part, [point(5, 1005, 2, 26)])).toBe(part);
    const nothing = { ...series, times: [], series: {} };
    expect(seriesOn(nothing, [point(5, 1005, 2, 26)])).toBe(nothing);
  });
});
