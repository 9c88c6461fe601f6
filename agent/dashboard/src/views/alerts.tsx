// Alerts: the rules and how they stand, and what has fired.

import type { Alerts, Rule } from "../api/types";
import { NONE, dayAndTime, microseconds, number, percent, span } from "../format";
import { AnswerPanel } from "../parts/panel";
import { Text } from "../parts/value";
import { useAnswer } from "../state/answer";
import { usePulse } from "../state/pulse";
import { named, t } from "../words";

/** The view. */
export function AlertsView() {
  const pulse = usePulse(3);
  const answer = useAnswer<Alerts>("/api/alerts", {}, { pulse });
  return (
    <>
      <AnswerPanel
        title={t("rules")}
        answer={answer}
        empty={(alerts) => (alerts.rules.length === 0 ? t("empty_rules") : null)}
      >
        {(alerts) => <Rules rules={alerts.rules} />}
      </AnswerPanel>
      <AnswerPanel
        title={t("history")}
        answer={answer}
        empty={(alerts) => (alerts.history.length === 0 ? t("empty_history") : null)}
      >
        {(alerts) => <History alerts={alerts} />}
      </AnswerPanel>
    </>
  );
}

const ORDER = ["firing", "pending", "unknown", "ok"];

function Rules({ rules }: { rules: readonly Rule[] }) {
  const sorted = [...rules].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("rules")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("col_state")}</th>
            <th scope="col">{t("rule")}</th>
            <th scope="col">{t("condition")}</th>
            <th scope="col" class="num">
              {t("value_now")}
            </th>
            <th scope="col">{t("col_since")}</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((rule) => (
            <tr key={rule.name}>
              <td>
                <span class={`alert-state ${rule.state}`}>{named("alert", rule.state)}</span>
              </td>
              <th scope="row">
                <Text text={rule.name} />
              </th>
              <td class="condition">{condition(rule)}</td>
              <td class="num">{inUnit(rule.metric, rule.value)}</td>
              <td class="time">{rule.since === null ? NONE : dayAndTime(rule.since)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function History({ alerts }: { alerts: Alerts }) {
  const metrics = new Map(alerts.rules.map((rule) => [rule.name, rule.metric]));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("history")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("rule")}</th>
            <th scope="col">{t("began")}</th>
            <th scope="col">{t("ended")}</th>
            <th scope="col" class="num">
              {t("peak")}
            </th>
            <th scope="col">{t("webhook")}</th>
          </tr>
        </thead>
        <tbody>
          {alerts.history.map((alert) => (
            <tr key={`${alert.rule} ${alert.started}`}>
              <th scope="row">
                <Text text={alert.rule} />
              </th>
              <td class="time">{dayAndTime(alert.started)}</td>
              <td class="time">
                {alert.ended === null ? <b class="errors">{t("goes_on")}</b> : dayAndTime(alert.ended)}
              </td>
              <td class="num">{inUnit(metrics.get(alert.rule) ?? "", alert.peak)}</td>
              <td>{alert.delivered === null ? NONE : alert.delivered ? t("delivered") : t("not_delivered")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function condition(rule: Rule): string {
  const metric = named("metric", rule.metric);
  const bound =
    rule.above !== null
      ? t("above", { metric, value: inUnit(rule.metric, rule.above) })
      : t("below", { metric, value: inUnit(rule.metric, rule.below) });
  const time = t("over_window", { window: span(rule.window_s) });
  return `${bound} ${time}${rule.for_s > 0 ? ` ${t("for_time", { time: span(rule.for_s) })}` : ""}`;
}

/** The value of a metric with its unit: error rates in percent, p99 in milliseconds. */
function inUnit(metric: string, value: number | null): string {
  if (value === null) {
    return NONE;
  }
  switch (metric) {
    case "error_rate":
      return percent(value);
    case "p99":
      return microseconds(value * 1000);
    case "requests_per_second":
      return `${number(value)}/s`;
    default:
      return number(value);
  }
}
