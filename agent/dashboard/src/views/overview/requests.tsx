// Single requests on the overview: the slowest of the range, and the newest.

import type { Covered, Exchange, ExchangePage, Slow } from "../../api/types";
import { clock, dayAndTime, microseconds, whenever } from "../../format";
import { AnswerPanel, Panel } from "../../parts/panel";
import { FilterValue, Status, Text } from "../../parts/value";
import type { Filters } from "../../state/fields";
import { usePart } from "../../state/part";
import { joinPages } from "../../state/partial";
import { useShell } from "../../state/shell";
import { t } from "../../words";

/** Requests that are shown. */
const SHOWN = 10;

/** The slowest. */
export function Slowest({ filters }: { filters: Filters }) {
  const answer = usePart<Slow>("/api/slow", { ...filters, limit: SHOWN });
  return (
    <AnswerPanel
      title={t("slowest")}
      answer={answer}
      empty={(slow) => (slow.exchanges.length === 0 ? t("empty_timed") : null)}
    >
      {(slow) => <Requests title={t("slowest")} rows={slow.exchanges} />}
    </AnswerPanel>
  );
}

/** The newest: as they come where nothing is filtered, else as they are found. */
export function Recent({ filters }: { filters: Filters }) {
  const { tick, place } = useShell();
  const live = Object.keys(filters).length === 0 && place.range.kind === "last" && tick?.recent !== undefined;
  const answer = usePart<ExchangePage>(live ? null : "/api/exchanges", { ...filters, limit: SHOWN }, joinRecent);
  if (!live) {
    return (
      <AnswerPanel
        title={t("recent")}
        answer={answer}
        empty={(page) => (page.exchanges.length === 0 ? t("empty_range") : null)}
      >
        {(page) => <Requests title={t("recent")} rows={page.exchanges} />}
      </AnswerPanel>
    );
  }
  return (
    <Panel title={t("recent")}>
      {tick.recent.length === 0 ? (
        <p class="empty">{t("empty_live")}</p>
      ) : (
        <Requests title={t("recent")} rows={tick.recent} />
      )}
    </Panel>
  );
}

function Requests({ title, rows }: { title: string; rows: readonly Exchange[] }) {
  const now = Date.now() / 1000;
  // The day stands in all rows or in none.
  const today = rows.every((row) => whenever(row.ts, now) === clock(row.ts));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("col_time")}</th>
            <th scope="col" class="extra">
              {t("col_method")}
            </th>
            <th scope="col">{t("col_target")}</th>
            <th scope="col">{t("col_status")}</th>
            <th scope="col" class="num">
              {t("col_took")}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, SHOWN).map((row) => (
            <tr key={row.exchange_id}>
              <td class="time">{today ? clock(row.ts) : dayAndTime(row.ts)}</td>
              <td class="extra">
                <FilterValue field="method" value={row.method} />
              </td>
              <td class="long">
                <span class="clip">
                  {row.host !== undefined && (
                    <span class="soft extra">
                      <Text text={row.host} />
                    </span>
                  )}
                  <FilterValue field="target" value={row.target} />
                </span>
              </td>
              <td>
                <Status status={row.status} />
              </td>
              <td class="num">{microseconds(row.ttfb_us)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function joinRecent(part: ExchangePage, rest: ExchangePage): ExchangePage {
  const page = joinPages("exchanges", part, rest);
  // The newest come first: there are enough.
  const enough = page.exchanges.length >= SHOWN && page.covered !== undefined;
  return enough ? { ...page, covered: { ...page.covered, complete: true } as Covered } : page;
}
