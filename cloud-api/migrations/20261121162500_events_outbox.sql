-- What happened, to be told to whoever wants to know: written in the transaction in which it happened.

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    -- Whom it is about. No foreign keys: what happened stays so.
    user_id uuid,
    data jsonb NOT NULL,
    told_at timestamptz,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_kind_check CHECK (kind ~ '^[a-z_]+\.[a-z_]+$')
);

CREATE INDEX outbox_untold_idx ON outbox (id) WHERE told_at IS NULL;
CREATE INDEX outbox_told_at_idx ON outbox (told_at) WHERE told_at IS NOT NULL;
