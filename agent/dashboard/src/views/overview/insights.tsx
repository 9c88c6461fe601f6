// Hours of the day, and what the report found.

import type { Top } from "../../api/types";
import { dayAndTime, localHour, number, visible } from "../../format";
import { AnswerPanel, Panel } from "../../parts/panel";
import { Text } from "../../parts/value";
import { useAnswer } from "../../state/answer";
import type { Filters } from "../../state/fields";
import { usePart } from "../../state/part";
import { type Covered, type Insight, readCovered, readInsights } from "../../state/report";
import { language, t } from "../../words";

/** Requests by hour of the day. */
export function HoursOfDay({ filters }: { filters: Filters }) {
  const answer = usePart<Top>("/api/top", { ...filters, by: "hour", limit: 24 });
  return (
    <AnswerPanel
      title={t("hours")}
      answer={answer}
      empty={(top) => (top.rows.length === 0 ? t("empty_range") : null)}
    >
      {(top) => <Hours top={top} />}
    </AnswerPanel>
  );
}

function Hours({ top }: { top: Top }) {
  const now = new Date();
  const shifted = localHour(0, now) !== null;
  const hours = Array.from({ length: 24 }, (_, hour) => ({ hour, requests: 0, errors: 0 }));
  for (const row of top.rows) {
    const hour = Number(row.value);
    const place = hours[localHour(hour, now) ?? hour];
    if (place !== undefined) {
      place.requests += row.requests;
      place.errors += row.errors;
    }
  }
  const most = Math.max(1, ...hours.map((hour) => hour.requests));
  return (
    <div class="hours">
      <ol>
        {hours.map(({ hour, requests, errors }) => (
          <li key={hour} title={t("hour_tip", { hour, requests: number(requests), errors: number(errors) })}>
            <span class="hidden">{t("hour_tip", { hour, requests: number(requests), errors: number(errors) })}</span>
            <span class="column" aria-hidden="true">
              <span class="fill" style={{ height: `${(100 * requests) / most}%` }}>
                <span class="part" style={{ height: `${requests > 0 ? (100 * errors) / requests : 0}%` }} />
              </span>
            </span>
            <span class="mark" aria-hidden="true">
              {hour % 3 === 0 ? hour : ""}
            </span>
          </li>
        ))}
      </ol>
      <p class="scale">
        {t("hours_most", { requests: number(most) })}
        {shifted ? "" : ` ${t("hours_utc")}`}
      </p>
    </div>
  );
}

/** What the report says; nothing where there is none. */
export function Insights() {
  const answer = useAnswer<unknown>(
    "/api/report",
    { format: "json", lang: language() },
    { ranged: true, live: true },
  );
  const insights = readInsights(answer.data);
  const covered = readCovered(answer.data);
  if (insights.length === 0) {
    return null;
  }
  return (
    <Panel
      title={t("insights")}
      note={
        <>
          {covered !== null && `${dayAndTime(covered.from)} – ${dayAndTime(covered.to)} · `}
          <a href={`/api/report?format=html&lang=${language()}${query(covered)}`}>{t("whole_report")}</a>
        </>
      }
    >
      <ul class="insights">
        {insights.map((insight, index) => (
          <InsightItem key={index} insight={insight} />
        ))}
      </ul>
    </Panel>
  );
}

function query(covered: Covered | null): string {
  if (covered === null) {
    return "";
  }
  return `&start_time=${encodeURIComponent(covered.from)}&end_time=${encodeURIComponent(covered.to)}`;
}

function InsightItem({ insight }: { insight: Insight }) {
  return (
    <li class={`insight ${insight.severity}`}>
      <p>
        {insight.title !== "" && <b>{visible(insight.title)}: </b>}
        <Text text={insight.text} />
      </p>
      {insight.advice !== "" && (
        <p class="advice">
          <Text text={insight.advice} />
        </p>
      )}
    </li>
  );
}
