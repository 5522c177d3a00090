-- Orders to branches and their devices, told until their result is known.

CREATE TABLE commands (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    -- Null: the edge itself.
    target_kind text,
    target_code text,
    command text NOT NULL,
    args jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Which start of which agent was told last, and when.
    told_boot text,
    told_at timestamptz,
    outcome text,
    detail text,
    finished_at timestamptz,
    -- Concluded here from its time to live; what the branch says later counts more.
    is_assumed boolean NOT NULL DEFAULT false,
    CONSTRAINT commands_pkey PRIMARY KEY (id),
    CONSTRAINT commands_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT commands_target_check CHECK ((target_kind IS NULL) = (target_code IS NULL)),
    CONSTRAINT commands_outcome_check CHECK (outcome IN ('done', 'failed', 'expired', 'unknown')),
    CONSTRAINT commands_finished_check CHECK ((outcome IS NULL) = (finished_at IS NULL))
);

CREATE INDEX commands_open_idx ON commands (branch_id, created_at) WHERE outcome IS NULL;
