-- What is missing, what could not be used, and what staff should know.

CREATE TABLE gaps (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    -- Entry that told of it; the first position of the batch if the cloud found it.
    seq bigint NOT NULL,
    -- Of telemetry that came too late: whose.
    device_id uuid,
    stream text NOT NULL,
    reason text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    -- Samples or events; 0 if nobody can tell.
    count bigint NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT gaps_pkey PRIMARY KEY (id),
    CONSTRAINT gaps_reason_check CHECK (reason IN ('thinned', 'dropped', 'damaged', 'too_late'))
);

CREATE UNIQUE INDEX gaps_entry_key ON gaps (edge_id, epoch, seq) WHERE reason <> 'too_late';
CREATE INDEX gaps_branch_idx ON gaps (branch_id, received_at);

CREATE TABLE notices (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    edge_id uuid,
    -- Of notices that an edge journaled.
    epoch bigint,
    seq bigint,
    code text NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT notices_pkey PRIMARY KEY (id),
    CONSTRAINT notices_entry_key UNIQUE (edge_id, epoch, seq)
);

CREATE INDEX notices_branch_idx ON notices (branch_id, received_at);

-- Parts of batches that could not be applied; nothing is thrown away.
CREATE TABLE set_aside (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    -- `event` or `telemetry`.
    kind text NOT NULL,
    device_id uuid,
    reason text NOT NULL,
    detail text NOT NULL,
    content bytea NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT set_aside_pkey PRIMARY KEY (id)
);

CREATE INDEX set_aside_branch_idx ON set_aside (branch_id, received_at);
