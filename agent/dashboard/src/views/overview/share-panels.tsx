// Shares of statuses and methods.

import type { Stats, StatusClass, Top } from "../../api/types";
import { AnswerPanel } from "../../parts/panel";
import { Shares } from "../../parts/shares";
import { FilterValue } from "../../parts/value";
import type { Answer } from "../../state/answer";
import type { Filters } from "../../state/fields";
import { usePart } from "../../state/part";
import { t } from "../../words";

const CLASSES: readonly StatusClass[] = ["2xx", "3xx", "4xx", "5xx", "1xx", "other"];

/** Classes of status. */
export function StatusShares({ answer }: { answer: Answer<Stats> }) {
  return (
    <AnswerPanel
      title={t("shares_status")}
      answer={answer}
      empty={(stats) => (stats.total_requests === 0 ? t("empty_range") : null)}
    >
      {(stats) => (
        <Shares
          shares={CLASSES.map((name) => ({
            key: name,
            count: stats.by_status[name] ?? 0,
            tone: `s${name === "other" ? "0" : name.charAt(0)}`,
            label:
              name === "other" ? t("status_other") : <FilterValue field="status" value={name} />,
          })).filter((share, index) => index < 4 || share.count > 0)}
        />
      )}
    </AnswerPanel>
  );
}

/** Methods. */
export function MethodShares({ filters }: { filters: Filters }) {
  const answer = usePart<Top>("/api/top", { ...filters, by: "method", limit: 8 });
  return (
    <AnswerPanel
      title={t("shares_method")}
      answer={answer}
      empty={(top) => (top.rows.length === 0 ? t("empty_range") : null)}
    >
      {(top) => (
        <Shares
          of={top.rows.reduce((sum, row) => sum + row.requests, top.others?.requests ?? 0)}
          shares={[
            ...top.rows.map((row) => ({
              key: row.value,
              count: row.requests,
              label: <FilterValue field="method" value={row.value} />,
            })),
            ...((top.others?.requests ?? 0) > 0
              ? [{ key: "\u0000others", count: top.others?.requests ?? 0, label: t("others") }]
              : []),
          ]}
        />
      )}
    </AnswerPanel>
  );
}
