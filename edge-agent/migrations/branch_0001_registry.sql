-- What the cloud told about the branch. Everything here but `local_devices` can be fetched again.
-- A snapshot of many pages is built up under the next generation and takes effect at its end, so that an
-- outage in its middle leaves the old one whole.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE devices (
    generation INTEGER NOT NULL,
    id         BLOB NOT NULL,
    record     TEXT NOT NULL, -- JSON of protocol::sync::changes::DeviceRecord
    PRIMARY KEY (generation, id)
) WITHOUT ROWID;

CREATE TABLE settings (
    generation INTEGER NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (generation, key)
) WITHOUT ROWID;

CREATE TABLE roster (
    generation INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    id         BLOB NOT NULL,
    item       BLOB NOT NULL,
    PRIMARY KEY (generation, kind, id)
) WITHOUT ROWID;

-- What was done at the branch and the cloud has not taken over yet: a proposed device, a new secret, a
-- revocation. It counts as long as the cloud's secret of the device is still `base_secret`.
CREATE TABLE local_devices (
    id          BLOB PRIMARY KEY,
    code        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    base_secret BLOB,
    secret      BLOB,
    revoked     INTEGER NOT NULL
) WITHOUT ROWID;
