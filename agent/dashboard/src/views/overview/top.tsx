// What is asked for most: endpoints with their times, hosts, clients.

import type { Top, TopBy, TopRow } from "../../api/types";
import { bytes, microseconds, number, percent } from "../../format";
import { AnswerPanel } from "../../parts/panel";
import { FilterValue } from "../../parts/value";
import type { Sort } from "../../state/address";
import type { Answer } from "../../state/answer";
import type { Field, Filters } from "../../state/fields";
import { usePart } from "../../state/part";
import { useShell } from "../../state/shell";
import { t } from "../../words";

/** The filter that a value of a list becomes. */
const FIELD: Partial<Record<TopBy, Field>> = {
  endpoint: "endpoint",
  host: "host",
  client: "src_ip",
  user_agent: "user_agent",
};

/** Endpoints: method and path, with what varies in it left out. */
export function Endpoints({ filters }: { filters: Filters }) {
  const { place, go } = useShell();
  const answer = useTop("endpoint", filters, place.sort, 15);
  // The last says whether a narrow window leaves it out.
  const heads: [string, Sort | null, boolean][] = [
    [t("col_requests"), "requests", false],
    [t("col_errors"), "errors", false],
    [t("col_mean"), "mean", true],
    ["p50", null, true],
    ["p90", null, true],
    ["p99", "p99", false],
    [t("most"), null, true],
    [t("col_bytes"), "bytes", true],
  ];
  return (
    <AnswerPanel
      title={t("top_endpoint")}
      answer={answer}
      empty={(top) => (top.rows.length === 0 ? t("empty_range") : null)}
    >
      {(top) => (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("top_endpoint")}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("col_endpoint")}</th>
                {heads.map(([label, sort, extra]) => (
                  <th
                    key={label}
                    scope="col"
                    class={extra ? "num extra" : "num"}
                    aria-sort={sort === place.sort ? "descending" : undefined}
                  >
                    {sort === null ? (
                      label
                    ) : (
                      <button type="button" class="sort" onClick={() => go({ ...place, sort })}>
                        {label}
                      </button>
                    )}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {top.rows.map((row) => (
                <tr key={row.value}>
                  <th scope="row" class="long">
                    <FilterValue field="endpoint" value={row.value} />
                  </th>
                  <td class="num">{number(row.requests)}</td>
                  <td class="num">
                    <ErrorCount row={row} />
                  </td>
                  <td class="num extra">{microseconds(row.mean_us)}</td>
                  <td class="num extra">{microseconds(row.p50_us)}</td>
                  <td class="num extra">{microseconds(row.p90_us)}</td>
                  <td class="num">{microseconds(row.p99_us)}</td>
                  <td class="num extra">{microseconds(row.max_us)}</td>
                  <td class="num extra">{bytes(row.response_bytes)}</td>
                </tr>
              ))}
            </tbody>
            <Others top={top} columns={9} />
          </table>
        </div>
      )}
    </AnswerPanel>
  );
}

/** Hosts, clients or user agents, by requests. */
export function TopList({ by, filters }: { by: "host" | "client" | "user_agent"; filters: Filters }) {
  const answer = useTop(by, filters, "requests", 10);
  const field = FIELD[by] ?? "host";
  const most = Math.max(1, ...(answer.data?.rows.map((row) => row.requests) ?? []));
  return (
    <AnswerPanel
      title={t(`top_${by}`)}
      answer={answer}
      empty={(top) => (top.rows.length === 0 ? t("empty_range") : null)}
    >
      {(top) => (
        <div class="scroll" tabIndex={0} role="region" aria-label={t(`top_${by}`)}>
          <table class="list">
            <thead>
              <tr>
                <th scope="col">{t(`col_${by}`)}</th>
                <th scope="col" class="num">
                  {t("col_requests")}
                </th>
                <th scope="col" class="num">
                  {t("col_errors")}
                </th>
                <th scope="col" class="num">
                  p99
                </th>
              </tr>
            </thead>
            <tbody>
              {top.rows.map((row) => (
                <tr key={row.value}>
                  <th scope="row" class="long">
                    <span class="weight" aria-hidden="true" style={{ width: `${(100 * row.requests) / most}%` }} />
                    <FilterValue field={field} value={row.value} />
                  </th>
                  <td class="num">{number(row.requests)}</td>
                  <td class="num">
                    <ErrorCount row={row} />
                  </td>
                  <td class="num">{microseconds(row.p99_us)}</td>
                </tr>
              ))}
            </tbody>
            <Others top={top} columns={4} />
          </table>
        </div>
      )}
    </AnswerPanel>
  );
}

function useTop(by: TopBy, filters: Filters, sort: Sort, limit: number): Answer<Top> {
  return usePart<Top>("/api/top", { ...filters, by, sort, limit });
}

function ErrorCount({ row }: { row: TopRow }) {
  if (row.errors === 0) {
    return <span class="none">0</span>;
  }
  return (
    <span class="errors">
      {number(row.errors)} <small class="extra">{percent(row.error_rate)}</small>
    </span>
  );
}

/** What is not in the list. */
function Others({ top, columns }: { top: Top; columns: number }) {
  const others = top.others;
  if (others === null || others === undefined || others.requests === 0) {
    return null;
  }
  const text =
    others.values === null
      ? t("others_some", { requests: number(others.requests) })
      : t("others_count", { values: number(others.values), requests: number(others.requests) });
  return (
    <tfoot>
      <tr>
        <td colSpan={columns}>{text}</td>
      </tr>
    </tfoot>
  );
}
