-- How many exchanges took this long: a histogram of ttfb_us in buckets an eighth of a power of two
-- wide. A row is a bucket: it holds from `from_us` up to the next bucket's.
CREATE TABLE latency_seconds (
    time INTEGER NOT NULL,
    role TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    PRIMARY KEY (time, role, from_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE latency_minutes (
    time INTEGER NOT NULL,
    role TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    PRIMARY KEY (time, role, from_us)
) STRICT, WITHOUT ROWID;

INSERT INTO latency_seconds
SELECT ts / 1000000 - (ts % 1000000 < 0), role, latency_bucket(ttfb_us), count(*)
FROM exchanges WHERE ttfb_us IS NOT NULL GROUP BY 1, 2, 3;

INSERT INTO latency_minutes
SELECT time / 60 * 60 - 60 * (time % 60 < 0), role, from_us, sum(exchanges)
FROM latency_seconds GROUP BY 1, 2, 3;

-- The rows that each of the last transactions touched, as the 8 bytes of each id, for those who
-- follow: records do not come in the order of their time.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY,
    exchanges BLOB NOT NULL,
    sessions BLOB NOT NULL
) STRICT;
