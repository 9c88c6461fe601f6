// The charts over time.

import { useMemo } from "preact/hooks";

import type { TimeSeries } from "../../api/types";
import { type Line, isEmpty, take, unfinished } from "../../charts/series";
import { TimeChart } from "../../charts/time-chart";
import { bytes, microseconds, short, span } from "../../format";
import { AnswerPanel } from "../../parts/panel";
import type { Answer } from "../../state/answer";
import type { Filters } from "../../state/fields";
import { usePart } from "../../state/part";
import { seriesOn } from "../../state/points";
import { between } from "../../state/range";
import { useShell } from "../../state/shell";
import { t } from "../../words";

/** What is drawn of an answer. */
interface Drawn {
  readonly times: number[];
  readonly cut: number;
}

/** Four charts with one time axis. */
export function Charts({ filters }: { filters: Filters }) {
  const answer = useSeries(filters);
  return (
    <div class="grid halves">
      <SeriesPanel
        title={t("chart_requests")}
        answer={answer}
        stacked
        unit={(value) => `${short(value)}/s`}
        lines={(series, { cut }) =>
          (["2xx", "3xx", "4xx", "5xx", "1xx", "other"] as const)
            .map((name) => ({
              label: name === "other" ? t("status_other") : name,
              color: `--s${name.charAt(0) === "o" ? "0" : name.charAt(0)}`,
              values: take(series.series[`status_${name}`], series.times.length, cut, series.step),
            }))
            .filter((line, index) => index < 4 || !isEmpty([line]))
        }
      />
      <SeriesPanel
        title={t("chart_times")}
        answer={answer}
        logarithmic
        unit={microseconds}
        lines={(series, { cut }) =>
          (["p50", "p95", "p99"] as const).map((name) => ({
            label: name,
            color: `--${name}`,
            values: take(series.series[`${name}_us`], series.times.length, cut),
          }))
        }
      />
      <SeriesPanel
        title={t("chart_bytes")}
        answer={answer}
        binary
        unit={(value) => `${bytes(value)}/s`}
        lines={(series, { cut }) =>
          (["response_bytes", "request_bytes"] as const).map((name, index) => ({
            label: t(`series_${name}`),
            color: `--line${index + 1}`,
            values: take(series.series[name], series.times.length, cut, series.step),
          }))
        }
      />
      <PacketsPanel answer={answer} />
    </div>
  );
}

/** The time series of the page's range; one that ends now goes on by the second. */
export function useSeries(filters: Filters): Answer<TimeSeries> {
  const answer = usePart<TimeSeries>("/api/timeseries", filters);
  const { place, points } = useShell();
  // What comes live is of everything.
  const runs = place.range.kind === "last" && !answer.loading && Object.keys(filters).length === 0;
  const data = useMemo(
    () => (answer.data !== null && runs ? seriesOn(answer.data, points) : answer.data),
    [answer.data, runs, points],
  );
  return { ...answer, data };
}

/** Packets a second of each CPU. */
export function PacketsPanel({ answer }: { answer: Answer<TimeSeries> }) {
  return (
    <SeriesPanel
      title={t("chart_packets")}
      answer={answer}
      unsearched
      empty={t("empty_packets")}
      unit={(value) => `${short(value)}/s`}
      lines={(series, { cut }) =>
        Object.entries(series.cpus ?? {})
          .sort(([one], [other]) => Number(one) - Number(other))
          .map(([cpu, counts], index) => ({
            label: `CPU ${cpu}`,
            color: `--line${(index % 8) + 1}`,
            values: take(counts?.packets, series.times.length, cut, series.step),
          }))
      }
    />
  );
}

function SeriesPanel(props: {
  title: string;
  answer: Answer<TimeSeries>;
  stacked?: boolean;
  binary?: boolean;
  logarithmic?: boolean;
  unit: (value: number | null) => string;
  empty?: string;
  unsearched?: boolean;
  lines: (series: TimeSeries, drawn: Drawn) => Line[];
}) {
  const { setRange } = useShell();
  const { answer } = props;
  const drawn = useMemo(() => {
    const series = answer.data;
    if (series === null) {
      return null;
    }
    const cut = unfinished(series);
    const times = series.times.slice(0, series.times.length - cut);
    return { times, lines: props.lines(series, { times, cut }) };
  }, [answer.data]);
  const step = answer.data?.step;
  return (
    <AnswerPanel
      title={props.title}
      answer={answer}
      unsearched={props.unsearched ?? false}
      note={step === undefined ? undefined : t("chart_step", { step: span(step) })}
      empty={() => (drawn === null || isEmpty(drawn.lines) ? (props.empty ?? t("empty_range")) : null)}
    >
      {() =>
        drawn !== null && (
          <TimeChart
            title={props.title}
            times={drawn.times}
            lines={drawn.lines}
            unit={props.unit}
            stacked={props.stacked ?? false}
            binary={props.binary ?? false}
            logarithmic={props.logarithmic ?? false}
            onSelect={(from, to) => {
              const range = between(from, to);
              if (range !== null) {
                setRange(range);
              }
            }}
          />
        )
      }
    </AnswerPanel>
  );
}
