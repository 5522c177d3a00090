-- What edges decided about taps. Members and credentials are named by id only, and may be gone.

CREATE TABLE decisions (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    boot bigint NOT NULL,
    mono_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    is_dated boolean NOT NULL,
    received_at timestamptz NOT NULL,
    tap_id uuid NOT NULL,
    reader_id uuid NOT NULL,
    member_id uuid,
    credential_id uuid,
    -- Keyed hash of the card's number.
    card bytea,
    sun_counter bigint,
    outcome text NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    time_uncertain boolean NOT NULL,
    CONSTRAINT decisions_pkey PRIMARY KEY (edge_id, epoch, seq),
    CONSTRAINT decisions_branch_tap_id_key UNIQUE (branch_id, tap_id),
    CONSTRAINT decisions_outcome_check CHECK (outcome IN ('granted', 'denied'))
);

CREATE INDEX decisions_branch_at_idx ON decisions (branch_id, at);
CREATE INDEX decisions_member_at_idx ON decisions (member_id, at) WHERE member_id IS NOT NULL;
CREATE INDEX decisions_undated_idx ON decisions (edge_id, boot) WHERE NOT is_dated;
