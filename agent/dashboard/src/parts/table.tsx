// A table whose rows open, and whose pages follow each other by a key, however many there are.

import { type ComponentChildren, Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";

import { useShell } from "../state/shell";
import { t } from "../words";

/** One column. */
export interface Column<Row> {
  readonly name: string;
  readonly number?: boolean;
  /** Left out where the window is narrow: an open row has it. */
  readonly extra?: boolean;
  readonly class?: string;
  readonly cell: (row: Row) => ComponentChildren;
}

/** A table; `detail`: what a row opens to. */
export function Table<Row>(props: {
  title: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** The name of a row, for those who do not see it. */
  rowName: (row: Row) => string;
  detail: (row: Row) => ComponentChildren;
  /** The first column is time and can be sorted by. */
  sorted?: "newest" | "oldest";
  turn?: () => void;
}) {
  const [open, setOpen] = useState<string | null>(null);
  const { columns } = props;
  // A time of today is told without its day.
  const today = new Date().toDateString();
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={props.title}>
      <table class="rows" onKeyDown={move}>
        <thead>
          <tr>
            <th scope="col" class="opener">
              <span class="hidden">{t("open_row")}</span>
            </th>
            {columns.map((column, index) => (
              <th
                key={column.name}
                scope="col"
                class={classes(column)}
                aria-sort={
                  index === 0 && props.sorted !== undefined
                    ? props.sorted === "newest"
                      ? "descending"
                      : "ascending"
                    : undefined
                }
              >
                {index === 0 && props.turn !== undefined ? (
                  <button type="button" class="sort" onClick={props.turn} title={t("turn_order")}>
                    {column.name}
                  </button>
                ) : (
                  column.name
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => {
            const key = props.rowKey(row);
            const isOpen = key === open;
            // The key is that of both rows: those that are there already stay when others come before them.
            return (
              <Fragment key={key}>
                <tr class={isOpen ? "open" : ""}>
                  <td class="opener">
                    <button
                      type="button"
                      aria-expanded={isOpen}
                      aria-label={t("details_of", { row: props.rowName(row) })}
                      onClick={() => setOpen(isOpen ? null : key)}
                    >
                      <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span>
                    </button>
                  </td>
                  <Cells row={row} columns={columns} today={today} />
                </tr>
                {isOpen && (
                  <tr class="detail">
                    <td colSpan={columns.length + 1}>{props.detail(row)}</td>
                  </tr>
                )}
              </Fragment>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** What stands in a row: made again only for another record, other columns, or another day. */
function Cells<Row>({ row, columns, today }: { row: Row; columns: readonly Column<Row>[]; today: string }) {
  return useMemo(
    () => (
      <>
        {columns.map((column) => (
          <td key={column.name} class={classes(column)}>
            {column.cell(row)}
          </td>
        ))}
      </>
    ),
    [row, columns, today],
  );
}

function classes<Row>(column: Column<Row>): string {
  return [column.number ? "num" : "", column.class ?? "", column.extra ? "extra" : ""].join(" ").trim();
}

/** Up and down go from row to row. */
function move(event: KeyboardEvent) {
  const target = event.target;
  if (!(target instanceof HTMLElement) || !target.matches(".opener button")) {
    return;
  }
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) {
    return;
  }
  const all = [...(target.closest("table")?.querySelectorAll<HTMLElement>(".opener button") ?? [])];
  const next = all[all.indexOf(target) + step];
  if (next !== undefined) {
    event.preventDefault();
    next.focus();
  }
}

/** To the first page, to the page before (with the browser's back), and on. */
export function Pager(props: { next: string | null; rows: number; again: () => void; children?: ComponentChildren }) {
  const { place, go } = useShell();
  return (
    <div class="pager">
      <button type="button" disabled={place.after === null} onClick={() => go({ ...place, after: null })}>
        {t("first_page")}
      </button>
      <button type="button" disabled={place.after === null} onClick={() => history.back()}>
        {t("page_before")}
      </button>
      <button
        type="button"
        disabled={props.next === null}
        onClick={() => {
          go({ ...place, after: props.next });
          document.getElementById("main")?.scrollIntoView();
        }}
      >
        {t("next_page")}
      </button>
      <button type="button" onClick={props.again}>
        {t("refresh")}
      </button>
      <span class="fill" />
      {props.children}
    </div>
  );
}
