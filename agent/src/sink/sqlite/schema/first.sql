-- A database of the first schema with a few rows, as `sqlite3 FILE .dump` gives it, for the test of
-- upgrades. Never changed.
PRAGMA application_id = 1413566540;
PRAGMA user_version = 1;
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

CREATE INDEX exchanges_by_error ON exchanges (status) WHERE status >= 400;
INSERT INTO sessions VALUES (3590528134622000,'00000000000000070000000000000002',1,0,'TCP','192.0.2.2',48918,'192.0.2.1',80,10,2400,1,1795264067311000,1795264069311000,2000000,6,4,600,1800,210,1400,0,0,'SF','ShADadFf',0,120,1,0,'eth0');
INSERT INTO sessions VALUES (3590528134622001,NULL,NULL,NULL,'UDP','10.0.0.1',53,'10.0.0.2',5353,2,200,0,1795264067311000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO exchanges VALUES (3590528134622000,'00000000000000070000000000000001','00000000000000070000000000000002',1795264067311000,'server','complete','192.0.2.2',48918,'192.0.2.1',80,'GET','/','HTTP/1.1','shop.example.com',NULL,NULL,200,'text/html',900,1100,210,1400,NULL,NULL,NULL,0,1,0);
INSERT INTO exchanges VALUES (3590528134622001,'00000000000000070000000000000003',NULL,1795264067311000,'server','complete','192.0.2.2',48918,'192.0.2.1',80,'GET','/a','HTTP/1.1',NULL,NULL,NULL,404,NULL,901,1100,210,1400,NULL,NULL,NULL,0,1,0);
INSERT INTO exchanges VALUES (3590528254622000,'00000000000000070000000000000004',NULL,1795264127311000,'client','complete','192.0.2.1',48919,'192.0.2.9',80,'GET','/b','HTTP/1.1',NULL,NULL,NULL,200,NULL,5000,6000,210,1400,NULL,NULL,NULL,0,1,0);
INSERT INTO exchanges VALUES (3590528254622001,'00000000000000070000000000000005',NULL,1795264127311000,'client','unanswered','192.0.2.1',48919,'192.0.2.9',80,'GET','/c','HTTP/1.1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,210,NULL,NULL,NULL,NULL,0,1,NULL);
