-- What happened in branches, as their edges journaled it. One row per journal entry (edge, epoch, seq).
-- `boot` and `mono_ms` date a row late: `is_dated` is false while no synced stamp of that boot is known.

CREATE TABLE taps (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    tap_id uuid NOT NULL,
    credential_kind text NOT NULL,
    -- Version byte and postcard of `protocol::credential::StoredCredential`.
    credential bytea NOT NULL,
    age_ms bigint NOT NULL,
    CONSTRAINT taps_pkey PRIMARY KEY (edge_id, epoch, seq),
    CONSTRAINT taps_branch_tap_id_key UNIQUE (branch_id, tap_id)
);

CREATE INDEX taps_branch_at_idx ON taps (branch_id, at);

CREATE TABLE finished_sets (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    set_id uuid,
    device_seq bigint NOT NULL,
    device_boot bigint,
    exercise text,
    reps integer NOT NULL,
    weight_cg bigint,
    duration_ms bigint,
    rom_mm integer,
    CONSTRAINT finished_sets_pkey PRIMARY KEY (edge_id, epoch, seq),
    CONSTRAINT finished_sets_branch_set_id_key UNIQUE (branch_id, set_id)
);

CREATE INDEX finished_sets_device_at_idx ON finished_sets (device_id, at);

CREATE TABLE device_statuses (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL,
    firmware text,
    uptime_ms bigint,
    error text,
    CONSTRAINT device_statuses_pkey PRIMARY KEY (edge_id, epoch, seq)
);

CREATE INDEX device_statuses_device_at_idx ON device_statuses (device_id, at);

CREATE TABLE maintenance_reports (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid NOT NULL,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    code text NOT NULL,
    severity text NOT NULL,
    message text NOT NULL,
    CONSTRAINT maintenance_reports_pkey PRIMARY KEY (edge_id, epoch, seq)
);

CREATE INDEX maintenance_reports_device_at_idx ON maintenance_reports (device_id, at);

CREATE TABLE command_results (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    command_id uuid NOT NULL,
    outcome text NOT NULL,
    detail text,
    CONSTRAINT command_results_pkey PRIMARY KEY (edge_id, epoch, seq)
);

CREATE TABLE ingest_rejects (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    device_id uuid,
    bridge_id uuid,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    topic text NOT NULL,
    code text NOT NULL,
    field text,
    message text NOT NULL,
    payload bytea NOT NULL,
    -- How many messages this row stands for.
    count bigint NOT NULL,
    CONSTRAINT ingest_rejects_pkey PRIMARY KEY (edge_id, epoch, seq)
);

CREATE INDEX ingest_rejects_branch_at_idx ON ingest_rejects (branch_id, at);
