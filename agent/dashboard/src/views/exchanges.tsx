// Exchanges: pages of a table through however many there are.

import { useMemo } from "preact/hooks";

import type { Around, Exchange, ExchangePage } from "../api/types";
import { bytes, microseconds } from "../format";
import { Export } from "../parts/export";
import { Fields } from "../parts/fields";
import { AnswerPanel, Failure } from "../parts/panel";
import { type Column, Pager, Table } from "../parts/table";
import { FilterValue, Status, Text } from "../parts/value";
import { When } from "../parts/when";
import { format } from "../state/address";
import { useAnswer } from "../state/answer";
import { OF_EXCHANGES, applying } from "../state/fields";
import { joinPages } from "../state/partial";
import { useShell } from "../state/shell";
import { language, t } from "../words";

/** Rows of a page. */
export const ROWS = 50;

/** The view. */
export function ExchangesView() {
  const { place, go } = useShell();
  const filters = applying(place.filters, OF_EXCHANGES);
  const query = { ...filters, order: place.order };
  const answer = useAnswer<ExchangePage>(
    "/api/exchanges",
    { ...query, after: place.after, limit: ROWS },
    { ranged: true, join: { put: (part, rest) => joinPages("exchanges", part, rest), rest: (part) => ({ limit: ROWS - part.exchanges.length }) } },
  );
  return (
    <AnswerPanel
      title={t("view_exchanges")}
      answer={answer}
      class="whole"
      note={<Export path="/api/exchanges" query={query} />}
      empty={(page) => (page.exchanges.length === 0 ? t("empty_exchanges") : null)}
    >
      {(page) => (
        <>
          <ExchangeTable
            title={t("view_exchanges")}
            rows={page.exchanges}
            sorted={place.order}
            turn={() => go({ ...place, order: place.order === "newest" ? "oldest" : "newest", after: null })}
          />
          <Pager next={page.next} rows={page.exchanges.length} again={answer.again} />
        </>
      )}
    </AnswerPanel>
  );
}

/** A table of exchanges. */
export function ExchangeTable(props: {
  title: string;
  rows: readonly Exchange[];
  sorted?: "newest" | "oldest";
  turn?: () => void;
}) {
  const named = useMemo(columns, [language()]);
  return (
    <Table
      {...props}
      columns={named}
      rowKey={(row) => row.exchange_id}
      rowName={(row) => `${row.method ?? ""} ${(row.target ?? "").slice(0, 80)} ${row.status ?? ""}`}
      detail={(row) => <ExchangeDetail row={row} />}
    />
  );
}

function columns(): Column<Exchange>[] {
  return [
    { name: t("col_time"), class: "time", cell: (row) => <When time={row.ts} /> },
    { name: t("col_client"), extra: true, class: "address", cell: (row) => <FilterValue field="src_ip" value={row.src_ip} /> },
    { name: t("col_method"), extra: true, cell: (row) => <FilterValue field="method" value={row.method} /> },
    { name: t("col_host"), extra: true, class: "medium", cell: (row) => <FilterValue field="host" value={row.host} /> },
    { name: t("col_target"), class: "long", cell: (row) => <FilterValue field="target" value={row.target} /> },
    { name: t("col_status"), cell: (row) => <StatusOrOutcome row={row} /> },
    { name: t("col_took"), number: true, cell: (row) => microseconds(row.ttfb_us) },
    { name: t("col_bytes"), extra: true, number: true, cell: (row) => bytes(row.response_bytes) },
    { name: t("col_user_agent"), extra: true, class: "medium", cell: (row) => <FilterValue field="user_agent" value={row.user_agent} /> },
  ];
}

function StatusOrOutcome({ row }: { row: Exchange }) {
  if (row.status !== undefined && row.status !== null) {
    return <Status status={row.status} />;
  }
  return <FilterValue field="outcome" value={row.outcome} />;
}

/** All fields, the session, and what happened around it. */
function ExchangeDetail({ row }: { row: Exchange }) {
  const { place } = useShell();
  const around = useAnswer<Around>(`/api/exchanges/${encodeURIComponent(row.exchange_id)}/around`, {
    // With the time it is looked up, without it searched for.
    ts: row.ts,
    limit: 10,
  });
  // A row of the live feed has some fields only.
  const whole = around.data?.exchange ?? row;
  const session = whole.session_id;
  const ofSession = { filters: { session_id: session ?? "" }, after: null, range: place.range };
  return (
    <div class="opened">
      <Fields record={whole} />
      {session !== undefined && (
        <p class="links">
          <a href={format({ ...place, ...ofSession, view: "sessions" })}>{t("its_session")}</a>
          <a href={format({ ...place, ...ofSession, view: "exchanges" })}>{t("exchanges_of_session")}</a>
        </p>
      )}
      <h3>{t("around")}</h3>
      <Failure error={around.error} />
      {around.data !== null && <AroundList around={around.data} />}
    </div>
  );
}

function AroundList({ around }: { around: Around }) {
  const known = new Map<string, Exchange>();
  for (const row of [...around.before, around.exchange, ...around.after]) {
    known.set(row.exchange_id, row);
  }
  const rows = [...known.values()].sort((one, other) => (one.ts < other.ts ? -1 : one.ts > other.ts ? 1 : 0));
  return (
    <table class="around">
      <tbody>
        {rows.map((row) => (
          <tr key={row.exchange_id} class={row.exchange_id === around.exchange.exchange_id ? "this" : ""}>
            <td class="time">
              <When time={row.ts} />
            </td>
            <td>
              <FilterValue field="src_ip" value={row.src_ip} />
            </td>
            <td>
              <Text text={row.method} />
            </td>
            <td>
              <Text text={row.host} />
            </td>
            <td class="long">
              <Text text={row.target} />
            </td>
            <td>
              <Status status={row.status} />
            </td>
            <td class="num">{microseconds(row.ttfb_us)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
