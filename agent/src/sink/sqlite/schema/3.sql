-- The longest ttfb_us of those that `ttfb_us` sums up.
ALTER TABLE exchange_seconds ADD COLUMN longest_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE exchange_minutes ADD COLUMN longest_us INTEGER NOT NULL DEFAULT 0;

-- Sums and histograms by what exchanges have in common: a row holds all groups of a kind, as bytes.
-- period: 60, 600, 3600 or 86400 seconds; time: its first second. A period that is not over, or that
-- has changed of late, may have no row; those of the minutes in it then say all.
CREATE TABLE exchange_groups (
    period INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (period, time, kind, role)
) STRICT;

-- sequence: the last transaction whose rows are in exchange_groups. generation: counts up when rows are
-- made by another than who writes. known_from: the first second from which on groups are known; rows that
-- are older came before there were groups.
CREATE TABLE group_state (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    sequence INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    known_from INTEGER
) STRICT;

INSERT INTO group_state SELECT 0, coalesce(max(sequence), 0), 0, NULL FROM changes;
