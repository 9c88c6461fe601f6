// All fields of a record, one under the other.

import { bytes, dayAndTime, microseconds, number } from "../format";
import { type Field, isField } from "../state/fields";
import { FilterValue, Text } from "./value";

/** The fields of a record that are values to filter by. */
const AS_FILTER: readonly Field[] = [
  "session_id",
  "src_ip",
  "dst_ip",
  "method",
  "target",
  "host",
  "user_agent",
  "status",
  "outcome",
  "role",
  "protocol",
  "conn_state",
];

/** What stands first; all else follows in the order of the record. */
const FIRST = ["ts", "timestamp", "ended_at", "method", "target", "host", "status"];

/** The fields; what is absent is left out. */
export function Fields({ record }: { record: Record<string, unknown> }) {
  const names = Object.keys(record).filter((name) => record[name] !== null && record[name] !== undefined);
  const ordered = [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name))];
  return (
    <dl class="fields">
      {ordered.map((name) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <FieldValue name={name} value={record[name]} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function FieldValue({ name, value }: { name: string; value: unknown }) {
  if (typeof value === "string" || typeof value === "number") {
    if (isField(name) && AS_FILTER.includes(name)) {
      return <FilterValue field={name} value={value} />;
    }
    const meant = inUnits(name, value);
    return (
      <>
        <Text text={typeof value === "number" && meant === "" ? (isName(name) ? value : number(value)) : value} />
        {meant !== "" && <span class="soft"> = {meant}</span>}
      </>
    );
  }
  return <Text text={typeof value === "object" ? JSON.stringify(value) : String(value)} />;
}

/** Numbers that are names: they have no separators. */
function isName(name: string): boolean {
  return /(_port|_id|^id|status|vlan)$/.test(name);
}

/** A value as people say it, where it is written in another way. */
function inUnits(name: string, value: string | number): string {
  if (typeof value === "string") {
    return /^(ts|timestamp|ended_at)$/.test(name) ? dayAndTime(value, true) : "";
  }
  if (name.endsWith("_us")) {
    return microseconds(value);
  }
  return /bytes/.test(name) && value >= 1024 ? bytes(value) : "";
}
