-- id: twice the microseconds of the start since 1970, or the next number that is free. So rows lie
-- in the order of their time, a later revision finds its row without an index, and the number fits
-- into the 53 bits that JavaScript has.
-- Times are microseconds since 1970, UTC; NULL is what was not seen.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    session_id TEXT,
    revision INTEGER,
    interim INTEGER,
    protocol TEXT NOT NULL,
    src_ip TEXT NOT NULL,
    src_port INTEGER NOT NULL,
    dst_ip TEXT NOT NULL,
    dst_port INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    cpu_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    ended_at INTEGER,
    duration_us INTEGER,
    packets_out INTEGER,
    packets_in INTEGER,
    bytes_out INTEGER,
    bytes_in INTEGER,
    orig_bytes INTEGER,
    resp_bytes INTEGER,
    missed_bytes INTEGER,
    reply_cpu_id INTEGER,
    conn_state TEXT,
    history TEXT,
    retransmits INTEGER,
    rtt_us INTEGER,
    http_requests INTEGER,
    http_errors INTEGER,
    ifname TEXT
) STRICT;

CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    exchange_id TEXT NOT NULL,
    session_id TEXT,
    ts INTEGER NOT NULL,
    role TEXT NOT NULL,
    outcome TEXT NOT NULL,
    src_ip TEXT NOT NULL,
    src_port INTEGER NOT NULL,
    dst_ip TEXT NOT NULL,
    dst_port INTEGER NOT NULL,
    method TEXT,
    target TEXT,
    version TEXT NOT NULL,
    host TEXT,
    user_agent TEXT,
    referer TEXT,
    status INTEGER,
    content_type TEXT,
    ttfb_us INTEGER,
    total_us INTEGER,
    request_bytes INTEGER,
    response_bytes INTEGER,
    interim_status INTEGER,
    traceparent TEXT,
    headers TEXT,
    partial INTEGER NOT NULL,
    cpu_id INTEGER NOT NULL,
    reply_cpu_id INTEGER
) STRICT;

-- The roll-ups. `time` is the first second, since 1970, of the second or the minute. An exchange
-- counts at its ts. A session counts as opened at its start; what a revision adds to it (packets,
-- bytes, ...) counts when that revision ended, also when that is another day than the file's.
CREATE TABLE exchange_seconds (
    time INTEGER NOT NULL,
    role TEXT NOT NULL,
    exchanges INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    orphan INTEGER NOT NULL,
    opaque INTEGER NOT NULL,
    status_1xx INTEGER NOT NULL,
    status_2xx INTEGER NOT NULL,
    status_3xx INTEGER NOT NULL,
    status_4xx INTEGER NOT NULL,
    status_5xx INTEGER NOT NULL,
    status_other INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    timed INTEGER NOT NULL,
    ttfb_us INTEGER NOT NULL,
    PRIMARY KEY (time, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE exchange_minutes (
    time INTEGER NOT NULL,
    role TEXT NOT NULL,
    exchanges INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    unanswered INTEGER NOT NULL,
    orphan INTEGER NOT NULL,
    opaque INTEGER NOT NULL,
    status_1xx INTEGER NOT NULL,
    status_2xx INTEGER NOT NULL,
    status_3xx INTEGER NOT NULL,
    status_4xx INTEGER NOT NULL,
    status_5xx INTEGER NOT NULL,
    status_other INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    timed INTEGER NOT NULL,
    ttfb_us INTEGER NOT NULL,
    PRIMARY KEY (time, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE session_seconds (
    time INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    opened INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    missed_bytes INTEGER NOT NULL,
    retransmits INTEGER NOT NULL,
    http_requests INTEGER NOT NULL,
    http_errors INTEGER NOT NULL,
    PRIMARY KEY (time, protocol)
) STRICT, WITHOUT ROWID;

CREATE TABLE session_minutes (
    time INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    opened INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    missed_bytes INTEGER NOT NULL,
    retransmits INTEGER NOT NULL,
    http_requests INTEGER NOT NULL,
    http_errors INTEGER NOT NULL,
    PRIMARY KEY (time, protocol)
) STRICT, WITHOUT ROWID;

-- Packets from the source count for the CPU of the first packet, those to it for that of the reply.
CREATE TABLE session_cpu_seconds (
    time INTEGER NOT NULL,
    cpu_id INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (time, cpu_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session_cpu_minutes (
    time INTEGER NOT NULL,
    cpu_id INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (time, cpu_id)
) STRICT, WITHOUT ROWID;

-- The errors alone: an index that costs nothing where all is well.
CREATE INDEX exchanges_by_error ON exchanges (status) WHERE status >= 400;
