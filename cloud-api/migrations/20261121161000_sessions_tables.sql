-- Stays, lent machines and queues, folded from the facts of all branches by the rules that edges use too.

-- What happened in branches, as their edges journaled it. An entry can mean two deeds: `part`.
CREATE TABLE facts (
    -- Nil for what the cloud recorded itself.
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    part smallint NOT NULL,
    branch_id uuid NOT NULL,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    kind text NOT NULL,
    member_id uuid,
    machine_id uuid,
    -- Postcard of `protocol::rules::Deed`.
    deed bytea NOT NULL,
    is_folded boolean NOT NULL DEFAULT false,
    CONSTRAINT facts_pkey PRIMARY KEY (edge_id, epoch, seq, part)
);

CREATE INDEX facts_branch_at_idx ON facts (branch_id, at_ms);
CREATE INDEX facts_member_at_idx ON facts (member_id, at_ms) WHERE member_id IS NOT NULL;
CREATE INDEX facts_new_idx ON facts (branch_id) WHERE NOT is_folded;
CREATE INDEX facts_undated_idx ON facts (edge_id, boot) WHERE NOT is_dated;

CREATE SEQUENCE cloud_facts_seq;

-- The state of a branch at `now_ms`, as rows of `protocol::rules::State`.
CREATE TABLE floor_states (
    branch_id uuid NOT NULL,
    now_ms bigint NOT NULL,
    wake_at_ms bigint,
    rows bytea NOT NULL,
    CONSTRAINT floor_states_pkey PRIMARY KEY (branch_id),
    CONSTRAINT floor_states_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

CREATE TABLE gym_sessions (
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT gym_sessions_pkey PRIMARY KEY (id),
    CONSTRAINT gym_sessions_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT gym_sessions_end_reason_check CHECK (
        end_reason IN ('checked_out', 'time_limit', 'closing', 'elsewhere', 'rejected'))
);

CREATE UNIQUE INDEX gym_sessions_open_key ON gym_sessions (member_id) WHERE ended_at IS NULL;
CREATE INDEX gym_sessions_branch_idx ON gym_sessions (branch_id, started_at);
CREATE INDEX gym_sessions_member_idx ON gym_sessions (member_id, started_at);

CREATE TABLE links (
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT links_pkey PRIMARY KEY (id),
    CONSTRAINT links_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT links_end_reason_check CHECK (
        end_reason IN ('unlinked', 'idle', 'moved', 'session_ended', 'out_of_order', 'rejected'))
);

CREATE UNIQUE INDEX links_open_machine_key ON links (machine_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX links_open_member_key ON links (member_id) WHERE ended_at IS NULL;
CREATE INDEX links_branch_idx ON links (branch_id, started_at);

-- Who waits for which machine now; place 0 is whom it is kept for.
CREATE TABLE queue_entries (
    machine_id uuid NOT NULL,
    place integer NOT NULL,
    member_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    offered_until timestamptz,
    CONSTRAINT queue_entries_pkey PRIMARY KEY (machine_id, place)
);

CREATE INDEX queue_entries_branch_idx ON queue_entries (branch_id);

ALTER TABLE finished_sets ADD COLUMN member_id uuid;
ALTER TABLE finished_sets ADD COLUMN link_id uuid;
CREATE INDEX finished_sets_member_idx ON finished_sets (member_id, at) WHERE member_id IS NOT NULL;

-- What was asked of a branch that did not answer is a fact here: `begun`, or `over` since the branch answered.
ALTER TABLE commands ADD COLUMN recorded text;
ALTER TABLE commands ADD CONSTRAINT commands_recorded_check CHECK (recorded IN ('begun', 'over'));
