// Text from the wire: as text, with what is hidden written out, apart from what stands around it.

import type { ComponentChildren } from "preact";

import { NONE, visible } from "../format";
import { type Field, asFilter } from "../state/fields";
import { useShell } from "../state/shell";
import { t } from "../words";

/** Hostile text. `<bdi>` keeps its direction from turning what stands beside it. */
export function Text({ text }: { text: string | number | null | undefined }) {
  if (text === null || text === undefined || text === "") {
    return <span class="none">{NONE}</span>;
  }
  return <bdi>{visible(String(text))}</bdi>;
}

/** What stands in the store where a log names no address. */
const UNKNOWN: ReadonlySet<unknown> = new Set(["0.0.0.0", "::"]);

/** A value that becomes a filter when it is clicked. */
export function FilterValue(props: {
  field: Field;
  value: string | number | null | undefined;
  children?: ComponentChildren;
  class?: string;
}) {
  const { filter, place } = useShell();
  const { field, value } = props;
  const isUnknown = field.endsWith("ip") && UNKNOWN.has(value);
  if (value === null || value === undefined || value === "" || isUnknown) {
    return <span class="none">{NONE}</span>;
  }
  const shown = props.children ?? <Text text={value} />;
  const wanted = asFilter(field, String(value));
  if (wanted === null || place.filters[field] === wanted) {
    return <span class={props.class}>{shown}</span>;
  }
  return (
    <button
      type="button"
      class={`value ${props.class ?? ""}`}
      title={t("filter_by", { field: t(`field_${field}`) })}
      onClick={() => filter(field, wanted)}
    >
      {shown}
    </button>
  );
}

/** The class of a status, for its colour: `s5` for 503. */
export function statusClass(status: number | string | null | undefined): string {
  const first = String(status ?? "").charAt(0);
  return "12345".includes(first) && first !== "" ? `status s${first}` : "status s0";
}

/** A status as a filter. */
export function Status({ status }: { status: number | null | undefined }) {
  return <FilterValue field="status" value={status} class={statusClass(status)} />;
}
