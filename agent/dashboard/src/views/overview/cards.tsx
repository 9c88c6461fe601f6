// The cards: the sums of the time range, and beside each how it is in this minute.

import type { Moment, Stats } from "../../api/types";
import { dayAndTime, microseconds, number, percent, short } from "../../format";
import { Card } from "../../parts/card";
import { Failure } from "../../parts/panel";
import type { Answer } from "../../state/answer";
import { rateNow, runOn } from "../../state/running";
import { useShell } from "../../state/shell";
import { t } from "../../words";

/** The seconds that small charts show. */
const SHOWN = 60;

/** The cards; `filtered`: what comes live is of everything, and not of what is asked for. */
export function Cards({ answer, filtered }: { answer: Answer<Stats>; filtered: boolean }) {
  const { tick, seconds, place } = useShell();
  // Sums that end now go on by the second; an answer to more comes every few.
  const runs = !filtered && !answer.loading && place.range.kind === "last";
  const stats = answer.data !== null && runs ? runOn(answer.data, seconds) : answer.data;
  const minute = filtered ? null : (tick?.minute ?? null);
  const trend = (value: (second: Moment) => number | null) =>
    filtered ? [] : seconds.slice(-SHOWN).map((second) => value(second));
  const now = (value: string | null) => (minute === null || value === null ? null : t("now", { value }));
  // A store that is younger than the range has a rate of its own time alone.
  const young = stats?.since && Date.parse(stats.since) > Date.parse(stats.covered.from) ? stats.since : null;
  // What was stored behind its time is in the minute first.
  const total = runs && stats !== null ? Math.max(stats.total_requests, minute?.requests ?? 0) : stats?.total_requests;
  const times = stats?.ttfb_us ?? null;
  const lost = stats?.lost ?? tick?.lost ?? null;
  return (
    <div class="cards-area">
      <Failure error={answer.error} again={answer.again} />
      <div class={`cards${answer.loading ? " waiting" : ""}`}>
        <Card
          label={t("card_requests")}
          value={number(total)}
          now={minute === null ? null : t("in_minute", { count: number(minute.requests) })}
          trend={trend((second) => second.requests)}
        />
        <Card
          label={young === null ? t("card_rate") : t("card_rate_since", { since: dayAndTime(young) })}
          value={stats?.rate === undefined || stats.rate === null ? number(null) : `${number(stats.rate)}/s`}
          now={now(`${number(rateNow(minute, stats?.since, tick?.now))}/s`)}
          trend={trend((second) => second.requests)}
        />
        <Card
          class="wide"
          label={t("card_time")}
          value={microseconds(times?.mean)}
          now={now(`${microseconds(minute?.mean_us)} · p99 ${microseconds(minute?.p99_us)}`)}
          trend={trend((second) => second.p95_us)}
        >
          <dl class="percentiles">
            {(["p50", "p95", "p99", "max"] as const).map((name) => (
              <div key={name}>
                <dt>{name === "max" ? t("most") : name}</dt>
                <dd>{microseconds(times?.[name])}</dd>
              </div>
            ))}
          </dl>
        </Card>
        <Card
          label={t("card_success")}
          value={percent(stats?.success_rate)}
          now={now(percent(minute?.success_rate))}
          trend={trend((second) => part(second.status["2xx"], second.requests))}
        />
        <Card
          label={t("card_errors")}
          value={percent(stats?.error_rate)}
          tone={(stats?.error_rate ?? 0) >= 5 ? "bad" : undefined}
          now={now(percent(minute?.error_rate))}
          trend={trend((second) => part(second.errors, second.requests))}
        />
        <Card
          label={t("card_sessions")}
          value={number(tick?.active_sessions ?? stats?.sessions?.active)}
          now={stats?.sessions ? t("sessions_opened", { count: short(stats.sessions.opened) }) : null}
        />
        <Card
          label={t("card_lost")}
          value={number(lost)}
          tone={lost === null ? undefined : lost > 0 ? "bad" : "good"}
          now={lost === null ? t("lost_unknown") : lost === 0 ? t("lost_none") : t("lost_some")}
        />
      </div>
    </div>
  );
}

function part(count: number | undefined, whole: number): number | null {
  return whole > 0 ? (100 * (count ?? 0)) / whole : null;
}
