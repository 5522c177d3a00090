-- Edge agents: one per branch at a time, how they became known, and which of their starts holds the key.

CREATE TABLE edges (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    -- Ed25519; the private half never leaves the edge.
    public_key bytea NOT NULL,
    hostname text NOT NULL,
    agent_version text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    revoked_at timestamptz,
    -- Start of the agent that holds the key, see docs/adr/0005.
    boot text,
    held_since timestamptz,
    -- When the holder was heard last, to about a second.
    last_contact_at timestamptz,
    CONSTRAINT edges_pkey PRIMARY KEY (id),
    CONSTRAINT edges_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT edges_public_key_check CHECK (octet_length(public_key) = 32)
);

CREATE UNIQUE INDEX edges_active_branch_key ON edges (branch_id) WHERE revoked_at IS NULL;

-- Starts of an agent that do not hold the key: it held it before, or it was found to be a second edge.
CREATE TABLE edge_runs (
    edge_id uuid NOT NULL,
    boot text NOT NULL,
    is_rival boolean NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT edge_runs_pkey PRIMARY KEY (edge_id, boot),
    CONSTRAINT edge_runs_edge_id_fkey FOREIGN KEY (edge_id) REFERENCES edges (id) ON DELETE CASCADE
);

CREATE TABLE enroll_codes (
    code_sha256 bytea NOT NULL,
    branch_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    -- Who used it: a repeat by the same edge, whose answer was lost, gets the same answer.
    edge_id uuid,
    CONSTRAINT enroll_codes_pkey PRIMARY KEY (code_sha256),
    CONSTRAINT enroll_codes_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT enroll_codes_edge_id_fkey FOREIGN KEY (edge_id) REFERENCES edges (id)
);

-- Assertions that were used, until they have expired anyway.
CREATE TABLE edge_assertions (
    edge_id uuid NOT NULL,
    jti text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT edge_assertions_pkey PRIMARY KEY (edge_id, jti),
    CONSTRAINT edge_assertions_edge_id_fkey
        FOREIGN KEY (edge_id) REFERENCES edges (id) ON DELETE CASCADE
);

CREATE INDEX edge_assertions_expires_at_idx ON edge_assertions (expires_at);

-- How far each opening of a journal has been applied. Its row is locked while a batch is.
CREATE TABLE edge_epochs (
    edge_id uuid NOT NULL,
    -- Random u64, the same 64 bits.
    epoch bigint NOT NULL,
    acked_seq bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    applied_at timestamptz NOT NULL,
    CONSTRAINT edge_epochs_pkey PRIMARY KEY (edge_id, epoch),
    CONSTRAINT edge_epochs_edge_id_fkey FOREIGN KEY (edge_id) REFERENCES edges (id),
    CONSTRAINT edge_epochs_acked_seq_check CHECK (acked_seq >= 0)
);

-- What to add to the monotonic time of a start of the edge's operating system to get Unix milliseconds.
CREATE TABLE edge_boots (
    edge_id uuid NOT NULL,
    boot bigint NOT NULL,
    offset_ms bigint NOT NULL,
    -- Monotonic time of the synced stamp it was learned from.
    mono_ms bigint NOT NULL,
    CONSTRAINT edge_boots_pkey PRIMARY KEY (edge_id, boot),
    CONSTRAINT edge_boots_edge_id_fkey FOREIGN KEY (edge_id) REFERENCES edges (id)
);

-- The newest state of the floor, for other instances and after a restart. It builds no history and comes
-- anew with the edge's next connection, so it need not survive a crash of Postgres.
CREATE UNLOGGED TABLE edge_live (
    branch_id uuid NOT NULL,
    edge_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    -- Encoded `protocol::sync::state::LiveState`, full.
    state bytea NOT NULL,
    CONSTRAINT edge_live_pkey PRIMARY KEY (branch_id)
);

-- Tombstones up to this version have been forgotten: who asks from before it gets everything anew.
ALTER TABLE branch_versions ADD COLUMN forgotten_version bigint NOT NULL DEFAULT 0;
