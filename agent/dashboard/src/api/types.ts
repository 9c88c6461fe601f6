// What the API answers, as far as the page reads it. Every string may come from the wire.

/** How much of what was asked an answer covers. */
export interface Covered {
  from: string;
  to: string;
  complete: boolean;
  source: "rollup" | "rows";
  next: string | null;
}

export type StatusClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "other";

/** Times to the first byte, in microseconds. */
export interface Times {
  mean: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Stats {
  covered: Covered;
  total_requests: number;
  avg_response_time: number | null;
  success_rate: number | null;
  error_rate: number | null;
  /** Requests a second, from the first record of the store on. */
  rate: number | null;
  /** The time of that; null: nothing is stored. */
  since: string | null;
  errors: number;
  answered: number;
  timed: number;
  by_status: Partial<Record<StatusClass, number>>;
  by_outcome: Partial<Record<string, number>>;
  request_bytes: number;
  response_bytes: number;
  ttfb_us: Times | null;
  /** Where a bucket begins, and how many are in it. */
  histogram: [number, number][];
  sessions: { opened: number; ended: number; packets: number; bytes: number; active: number | null } | null;
  lost: number | null;
}

export type Values = (number | null)[];

export interface TimeSeries {
  covered: Covered;
  step: number;
  times: number[];
  series: Partial<Record<string, Values>>;
  cpus?: Partial<Record<string, { packets?: Values; bytes?: Values }>>;
}

export type TopBy = "endpoint" | "host" | "client" | "method" | "status" | "hour" | "user_agent";

export interface TopRow {
  value: string;
  requests: number;
  errors: number;
  error_rate: number | null;
  mean_us: number | null;
  p50_us: number | null;
  p90_us: number | null;
  p99_us: number | null;
  max_us: number | null;
  request_bytes: number;
  response_bytes: number;
}

export interface Top {
  covered: Covered;
  by: string;
  rows: TopRow[];
  others: { values: number | null; requests: number; errors: number; response_bytes: number } | null;
}

/** An exchange; what is absent was not there. */
export interface Exchange {
  exchange_id: string;
  session_id?: string;
  ts: string;
  role?: string;
  outcome?: string;
  src_ip: string;
  src_port?: number;
  dst_ip?: string;
  dst_port?: number;
  method?: string;
  target?: string;
  host?: string;
  user_agent?: string;
  status?: number;
  ttfb_us?: number;
  response_bytes?: number;
  [field: string]: unknown;
}

/** A session. */
export interface Session {
  session_id?: string;
  timestamp: string;
  protocol: string;
  src_ip: string;
  src_port: number;
  dst_ip: string;
  dst_port: number;
  packets: number;
  bytes: number;
  cpu_id?: number;
  reply_cpu_id?: number;
  conn_state?: string;
  duration_us?: number;
  http_requests?: number;
  http_errors?: number;
  interim?: boolean;
  [field: string]: unknown;
}

export interface ExchangePage {
  exchanges: Exchange[];
  next: string | null;
  covered?: Covered;
}

export interface SessionPage {
  sessions: Session[];
  next: string | null;
  covered?: Covered;
}

export interface Around {
  before: Exchange[];
  exchange: Exchange;
  after: Exchange[];
}

export interface Slow {
  covered: Covered;
  exchanges: Exchange[];
}

export interface SinkState {
  name: string;
  queue: number;
  stored: number;
  spooled: number;
  refused: number;
  lost: number;
}

export interface CpuCounts {
  cpu: number;
  packets: number;
  bytes: number;
  heads: number;
  ignored: number;
  lost: number;
}

/** The last selftest. */
export interface SelfTest {
  version: string;
  at: string;
  hooks: string[];
  sent: number;
  written: number;
  recall: number;
  precision: number;
  passed: boolean;
}

export interface Agent {
  mode: "run" | "serve" | "watch";
  version: string;
  started: string;
  now: string;
  hostname: string | null;
  interfaces: { name: string; hook: string | null }[];
  process: { cpu_seconds: number; resident_bytes: number; threads?: number } | null;
  cpus: CpuCounts[];
  programs: { name: string; runs: number; ns: number }[] | null;
  sinks: SinkState[];
  sessions: { active: number | null; differing_cpus: number | null } | null;
  selftest: SelfTest | null;
  health: { state: string; since: string | null; reasons: string[] };
  viewers?: { sse: number; websocket: number; stalled: number };
}

export interface Identity {
  says: string;
  left: number;
  right: number;
  in_flight: number;
  holds: boolean;
}

type Counts = Record<string, number>;

export interface Ledger {
  seconds: number;
  packets?: number;
  bytes?: number;
  ignored?: Counts;
  candidates?: number;
  evicted?: number;
  records?: { numbered: number; received: number; lost: Counts; longest_pause_us: number };
  heads?: { found: number; whole: number; partial: number; start_lines: number; copies: number; look_alikes: number };
  sessions?: { begun: number; records: number; packets: number; packets_left_out: number };
  exchanges?: Counts;
  lines?: { accepted: number; stored: number; queued: number; lost: number };
  sinks?: Record<string, { accepted: number; stored: number; spooled: number; queued: number; lost: number }>;
  api?: { requests: number; taken: number; refused: Counts; abandoned: number };
  identities: Record<string, Identity>;
}

/** What happened in a second, or in the last minute. */
export interface Moment {
  time_s?: number;
  requests: number;
  errors: number;
  status: Partial<Record<StatusClass, number>>;
  mean_us: number | null;
  p50_us: number | null;
  p95_us: number | null;
  p99_us: number | null;
  request_bytes: number;
  response_bytes: number;
}

export interface Minute extends Moment {
  rate: number | null;
  success_rate: number | null;
  error_rate: number | null;
}

/** The step of a chart over time that goes on, as far as it has come. */
export interface Point extends Moment {
  time_s: number;
  /** Its length, in seconds. */
  step: number;
  /** How many of them are over. */
  seconds: number;
  /** By CPU. */
  packets: Partial<Record<string, number>>;
}

/** What comes every second. */
export interface Tick {
  now: string;
  second: Moment | null;
  minute: Minute | null;
  points?: Point[];
  active_sessions: number | null;
  lost: number | null;
  cpus: { cpu: number; packets: number; heads: number; lost: number }[];
  recent: Exchange[];
  alerts: { firing: number; pending: number } | null;
}

export interface Rule {
  name: string;
  metric: string;
  above: number | null;
  below: number | null;
  window_s: number;
  for_s: number;
  state: "ok" | "pending" | "firing" | "unknown";
  value: number | null;
  since: string | null;
}

export interface Alerts {
  rules: Rule[];
  history: { rule: string; started: string; ended: string | null; peak: number | null; delivered: boolean | null }[];
}
