-- What was answered to requests that carried an Idempotency-Key, to be answered again.

CREATE TABLE idempotency_keys (
    -- The user; without one, a digest of the request.
    owner text NOT NULL,
    key text NOT NULL,
    -- Digest of method, path and body.
    request bytea NOT NULL,
    -- Somebody is at it; when this is over, they are taken for dead.
    claimed_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status integer,
    headers jsonb,
    -- Sealed: answers may hold tokens.
    body bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, key),
    CONSTRAINT idempotency_keys_answer_check CHECK ((status IS NULL) = (body IS NULL))
);

CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);
