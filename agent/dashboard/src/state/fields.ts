// The filters: which there are, where they apply, and what a value of each looks like. Pure.

/** Every filter that the API knows, but for the times. */
export const FIELDS = [
  "ip",
  "src_ip",
  "dst_ip",
  "port",
  "session_id",
  "method",
  "host",
  "target",
  "endpoint",
  "status",
  "outcome",
  "role",
  "min_latency_us",
  "user_agent",
  "protocol",
  "conn_state",
  "min_duration_us",
  "cpu",
  "cpus",
] as const;

/** The name of a filter. */
export type Field = (typeof FIELDS)[number];

/** Which values are wanted: a filter has one value. */
export type Filters = Partial<Record<Field, string>>;

const BOTH: readonly Field[] = ["ip", "src_ip", "dst_ip", "port", "session_id"];

/** The filters of exchanges, and of everything that is counted from them. */
export const OF_EXCHANGES: readonly Field[] = [
  "status",
  "method",
  "host",
  "endpoint",
  "target",
  "user_agent",
  "outcome",
  "role",
  "min_latency_us",
  ...BOTH,
];

/** The filters of sessions. */
export const OF_SESSIONS: readonly Field[] = [
  "protocol",
  "conn_state",
  "min_duration_us",
  "cpu",
  "cpus",
  ...BOTH,
];

/** Values that a filter can have, where there are few. */
export const CHOICES: Partial<Record<Field, readonly string[]>> = {
  status: ["2xx", "3xx", "4xx", "5xx", "400-599"],
  outcome: ["complete", "unanswered", "orphan", "opaque"],
  role: ["server", "client"],
  protocol: ["TCP", "UDP", "ICMP"],
  cpus: ["differ"],
  method: ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "PATCH"],
};

/** Values that must be one of their choices. */
export const CLOSED: readonly Field[] = ["outcome", "role", "protocol", "cpus"];

/** Bytes of a value behind percent-encoding: more would not go into the head of a request. */
const LONGEST = 1500;

/** Whether a name is that of a filter. */
export function isField(name: string): name is Field {
  return (FIELDS as readonly string[]).includes(name);
}

/** Those of the filters that a view knows; the others stay in the address and are shown as not in force. */
export function applying(filters: Filters, known: readonly Field[]): Filters {
  const found: Filters = {};
  for (const field of known) {
    const value = filters[field];
    if (value !== undefined) {
      found[field] = value;
    }
  }
  return found;
}

/**
 * A value as a filter takes it: of those that ask for a part, only so much as an address can carry.
 * Null where a value that must be whole is too long.
 */
export function asFilter(field: Field, value: string): string | null {
  if (encodedLength(value) <= LONGEST) {
    return value;
  }
  if (field !== "target" && field !== "user_agent") {
    return null;
  }
  let cut = "";
  let length = 0;
  for (const letter of value) {
    length += encodedLength(letter);
    if (length > LONGEST) {
      break;
    }
    cut += letter;
  }
  return cut;
}

function encodedLength(text: string): number {
  return encodeURIComponent(text.toWellFormed()).length;
}
