-- Every row of entries can be read on its own: it carries its epoch, its number in it and a checksum, so that
-- whatever a damaged file still holds can be put back where it belongs.
CREATE TABLE entries (
    pos INTEGER PRIMARY KEY,
    class INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    span INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    synced INTEGER NOT NULL,
    count INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    digests BLOB,
    payload BLOB NOT NULL
) STRICT;

-- Small classes only: telemetry must not pay for an index.
CREATE INDEX entries_status ON entries (class) WHERE class = 2;
CREATE INDEX entries_reject ON entries (class) WHERE class = 3;

CREATE TABLE epochs (
    ordinal INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    first_pos INTEGER NOT NULL,
    acked_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE devices (number INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;

CREATE TABLE repeats (device INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT;

CREATE TABLE recent_ids (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    synced INTEGER NOT NULL
) STRICT;

CREATE TABLE counted_rejects (device INTEGER PRIMARY KEY, event BLOB NOT NULL) STRICT;

CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
