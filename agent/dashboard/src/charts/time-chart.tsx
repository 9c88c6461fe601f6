// A chart over time: lines, or layers on each other. What it shows stands in words too, for those who
// do not see it. A span that is drawn over it becomes the time range.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { axisTimes, whenever } from "../format";
import { onThemeChange } from "../theme";
import { t } from "../words";
import { type Line, highest, stack } from "./series";

/** What a chart takes. */
export interface ChartProps {
  readonly title: string;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly stacked?: boolean;
  /** A value with its unit. */
  readonly unit: (value: number | null) => string;
  /** Steps of the value axis in powers of two. */
  readonly binary?: boolean;
  /** Each line of the grid is ten times the one below: what is small is seen beside what is large. */
  readonly logarithmic?: boolean;
  readonly height?: number;
  readonly onSelect?: (from: number, to: number) => void;
}

const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);
/** Pixels that are meant as a span, and not as a click. */
const SPAN = 6;

/** A chart. */
export function TimeChart(props: ChartProps) {
  const { times, lines, stacked = false, height = 190 } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [cursor, setCursor] = useState<number | null>(null);
  const [theme, setTheme] = useState(0);

  const shape = `${stacked} ${height} ${theme} ${lines.map((line) => `${line.label}${line.color}`).join("|")}`;
  const data = useMemo(() => columns(times, lines, stacked), [times, lines, stacked]);

  useEffect(() => onThemeChange(() => setTheme((count) => count + 1)), []);

  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) {
      return undefined;
    }
    const width = () => Math.max(120, element.clientWidth);
    const made = new uPlot(options(latest, width(), setCursor), data, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: width(), height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  useLayoutEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  const at = cursor !== null && cursor < times.length ? cursor : null;
  return (
    <figure class="chart">
      <div class="plot" ref={place} role="img" aria-label={inWords(props)} />
      <figcaption aria-hidden="true">
        <span class="when">{at === null ? t("latest") : whenever(times[at] ?? 0, Date.now() / 1000)}</span>
        {lines.map((line) => (
          <span class="entry" key={line.label}>
            <span class="swatch" style={{ background: `var(${line.color})` }} />
            {line.label} <b>{props.unit(line.values[at ?? line.values.length - 1] ?? null)}</b>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** What uPlot draws: of layers the highest first, so that each covers the part that is not its own. */
function columns(times: readonly number[], lines: readonly Line[], stacked: boolean): uPlot.AlignedData {
  const values = lines.map((line) => line.values);
  const drawn = stacked ? stack(values).reverse() : values;
  return [times as number[], ...drawn] as uPlot.AlignedData;
}

function options(latest: { current: ChartProps }, width: number, setCursor: (at: number | null) => void): uPlot.Options {
  const { lines, stacked = false, binary = false, logarithmic = false, height = 190 } = latest.current;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const font = `11px ${color("--sans") || "sans-serif"}`;
  const axis = {
    stroke: color("--soft"),
    font,
    grid: { stroke: color("--grid"), width: 1 },
    ticks: { show: false },
  };
  const ordered = stacked ? [...lines].reverse() : lines;
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: !stacked, size: 6 },
      drag: { x: true, y: false, setScale: false },
      // The line moves in all charts; a span is drawn in one.
      sync: { key: "time", setSeries: false, filters: { sub: always, pub: isMove } },
    },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: true },
      y: logarithmic
        ? { distr: 3, log: 10, range: (_plot, least, most) => tens(least, most) }
        : { range: (_plot, _least, most) => [0, most > 0 ? most * 1.06 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 34,
        space: 70,
        values: (_plot, splits, _axis, _space, step) => axisTimes(splits, step),
      },
      {
        ...axis,
        size: 72,
        space: 32,
        values: (_plot, splits) =>
          splits.map((value) => (logarithmic && !isTen(value) ? "" : latest.current.unit(value))),
        ...(binary ? { incrs: POWERS } : {}),
      },
    ],
    series: [
      {},
      ...ordered.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: stacked ? 0 : 1.6,
        points: { show: stacked ? false : isSparse, size: 5 },
        spanGaps: false,
        ...(stacked ? { fill: color(line.color), paths: steps } : {}),
      })),
    ],
    hooks: {
      setCursor: [(plot) => setCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width: span } = plot.select;
          if (span >= SPAN) {
            const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + span, "x")];
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            latest.current.onSelect?.(from, to);
          }
        },
      ],
    },
  };
}

/** The powers of ten around what is drawn. */
function tens(least: number | null, most: number | null): [number, number] {
  const from = 10 ** Math.floor(Math.log10(Math.max(least ?? 1, 1)));
  const to = 10 ** Math.ceil(Math.log10(Math.max(most ?? 1, 1)));
  return [from, Math.max(to, from * 10)];
}

function isTen(value: number): boolean {
  return Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6);
}

/** Values that stand alone would not be seen as a line. */
function isSparse(plot: uPlot, series: number): boolean {
  const values = plot.data[series] ?? [];
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null) {
      return true;
    }
  }
  return false;
}

const always = () => true;
const isMove = (type: string) => type === "mousemove" || type === "mouseleave";

const steps = uPlot.paths.stepped?.({ align: 1 }) ?? uPlot.paths.linear?.() ?? (() => null);

/** The chart in a sentence. */
function inWords(props: ChartProps): string {
  const now = Date.now() / 1000;
  const [first, last] = [props.times[0], props.times.at(-1)];
  if (first === undefined || last === undefined) {
    return `${props.title}: ${t("nothing_to_draw")}`;
  }
  const parts = props.lines.map((line) => {
    const top = highest(line.values);
    if (top === null) {
      return `${line.label}: ${t("nothing_to_draw")}`;
    }
    return t("chart_line", {
      label: line.label,
      last: props.unit(line.values.at(-1) ?? null),
      most: props.unit(top.value),
      when: whenever(props.times[top.index] ?? 0, now),
    });
  });
  const span = t("chart_span", { from: whenever(first, now), to: whenever(last, now) });
  return `${props.title}, ${span}. ${parts.join(". ")}`;
}
