-- Who may use the staff page. Passwords are the branch's own: they work without the cloud and never leave it.
CREATE TABLE staff_accounts (
    id       BLOB PRIMARY KEY,
    login    TEXT NOT NULL UNIQUE, -- the name in lower case
    name     TEXT NOT NULL,
    role     TEXT NOT NULL,
    password TEXT NOT NULL,        -- argon2id, PHC string
    staff    BLOB                  -- the same person in the cloud's roster
) WITHOUT ROWID;

-- Times are monotonic and of one start of the computer: no step of the wall clock prolongs a session.
CREATE TABLE staff_sessions (
    token         BLOB PRIMARY KEY, -- SHA-256 of the cookie
    account       BLOB NOT NULL,
    boot          INTEGER NOT NULL,
    began_mono_ms INTEGER NOT NULL,
    seen_mono_ms  INTEGER NOT NULL
) WITHOUT ROWID;

-- Failed sign-ins, by a hash of whom or where they are counted for; they outlive a restart.
CREATE TABLE staff_failures (
    subject BLOB PRIMARY KEY,
    count   INTEGER NOT NULL,
    boot    INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL
) WITHOUT ROWID;
