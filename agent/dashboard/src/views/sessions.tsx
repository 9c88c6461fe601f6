// Sessions: pages of a table.

import type { Session, SessionPage } from "../api/types";
import { bytes, microseconds, number } from "../format";
import { Export } from "../parts/export";
import { Fields } from "../parts/fields";
import { AnswerPanel } from "../parts/panel";
import { type Column, Pager, Table } from "../parts/table";
import { FilterValue } from "../parts/value";
import { When } from "../parts/when";
import { format } from "../state/address";
import { useAnswer } from "../state/answer";
import { OF_SESSIONS, applying } from "../state/fields";
import { joinPages } from "../state/partial";
import { useShell } from "../state/shell";
import { named, t } from "../words";

/** Rows of a page. */
const ROWS = 50;

/** The view. */
export function SessionsView() {
  const { place, go } = useShell();
  const filters = applying(place.filters, OF_SESSIONS);
  const query = { ...filters, order: place.order };
  const answer = useAnswer<SessionPage>(
    "/api/sessions",
    { ...query, after: place.after, limit: ROWS },
    { ranged: true, join: { put: (part, rest) => joinPages("sessions", part, rest), rest: (part) => ({ limit: ROWS - part.sessions.length }) } },
  );
  return (
    <AnswerPanel
      title={t("view_sessions")}
      answer={answer}
      class="whole"
      note={<Export path="/api/sessions" query={query} />}
      empty={(page) => (page.sessions.length === 0 ? t("empty_sessions") : null)}
    >
      {(page) => (
        <>
          <SessionTable
            title={t("view_sessions")}
            rows={page.sessions}
            sorted={place.order}
            turn={() => go({ ...place, order: place.order === "newest" ? "oldest" : "newest", after: null })}
          />
          <Pager next={page.next} rows={page.sessions.length} again={answer.again} />
        </>
      )}
    </AnswerPanel>
  );
}

/** A table of sessions. */
export function SessionTable(props: {
  title: string;
  rows: readonly Session[];
  sorted?: "newest" | "oldest";
  turn?: () => void;
}) {
  return (
    <Table
      {...props}
      columns={columns()}
      rowKey={(row) => row.session_id ?? `${row["id"] ?? ""} ${row.timestamp} ${row.src_ip} ${row.src_port}`}
      rowName={(row) => `${row.protocol} ${row.src_ip} – ${row.dst_ip}`}
      detail={(row) => <SessionDetail row={row} />}
    />
  );
}

function columns(): Column<Session>[] {
  return [
    { name: t("col_time"), class: "time", cell: (row) => <When time={row.timestamp} /> },
    { name: t("col_protocol"), extra: true, cell: (row) => <FilterValue field="protocol" value={row.protocol} /> },
    {
      name: t("col_source"),
      class: "address",
      cell: (row) => <Endpoint field="src_ip" ip={row.src_ip} port={row.src_port} />,
    },
    {
      name: t("col_destination"),
      class: "address",
      cell: (row) => <Endpoint field="dst_ip" ip={row.dst_ip} port={row.dst_port} />,
    },
    {
      name: t("col_state"),
      cell: (row) => (
        <span title={row.interim === true ? t("goes_on") : named("state", row.conn_state ?? "")}>
          <FilterValue field="conn_state" value={row.conn_state} />
        </span>
      ),
    },
    { name: t("col_duration"), extra: true, number: true, cell: (row) => microseconds(row.duration_us) },
    { name: t("col_packets"), extra: true, number: true, cell: (row) => number(row.packets) },
    { name: t("col_bytes"), number: true, cell: (row) => bytes(row.bytes) },
    { name: t("col_requests"), extra: true, number: true, cell: (row) => number(row.http_requests) },
    { name: t("col_errors"), extra: true, number: true, cell: (row) => number(row.http_errors) },
    { name: t("col_cpus"), extra: true, number: true, cell: (row) => <Cpus row={row} /> },
  ];
}

function Endpoint({ field, ip, port }: { field: "src_ip" | "dst_ip"; ip: string; port: number }) {
  return (
    <>
      <FilterValue field={field} value={ip} />
      <span class="soft">#</span>
      <FilterValue field="port" value={port} />
    </>
  );
}

/** The CPU of each direction; they may differ. */
function Cpus({ row }: { row: Session }) {
  const { cpu_id: out, reply_cpu_id: back } = row;
  if (back === undefined || back === null || back === out) {
    return <FilterValue field="cpu" value={out} />;
  }
  return (
    <span class="differ" title={t("cpus_differ")}>
      <FilterValue field="cpu" value={out} /> ⇄ <FilterValue field="cpu" value={back} />
    </span>
  );
}

function SessionDetail({ row }: { row: Session }) {
  const { place } = useShell();
  const id = row.session_id;
  return (
    <div class="opened">
      <Fields record={row} />
      {id !== undefined && (
        <p class="links">
          <a href={format({ ...place, view: "exchanges", filters: { session_id: id }, after: null })}>
            {t("exchanges_of_session")}
          </a>
        </p>
      )}
    </div>
  );
}
