-- Work that is done later, once, by whichever instance is free.

CREATE TABLE jobs (
    id uuid NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    -- Somebody is at it; when this is over, they are taken for dead.
    locked_until timestamptz,
    last_error text,
    -- Given up.
    failed_at timestamptz,
    CONSTRAINT jobs_pkey PRIMARY KEY (id)
);

CREATE INDEX jobs_run_at_idx ON jobs (run_at) WHERE failed_at IS NULL;

CREATE TABLE job_schedules (
    kind text NOT NULL,
    next_run_at timestamptz NOT NULL,
    CONSTRAINT job_schedules_pkey PRIMARY KEY (kind)
);
