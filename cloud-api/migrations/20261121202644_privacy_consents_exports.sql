-- What people agree to, archives they asked for, accounts that are to be erased, and what looks unusual.

-- Rows are added: the newest of a kind counts.
CREATE TABLE consents (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    is_given boolean NOT NULL,
    -- Of the text that was shown.
    version text NOT NULL,
    decided_at timestamptz NOT NULL,
    CONSTRAINT consents_pkey PRIMARY KEY (id),
    CONSTRAINT consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT consents_kind_check
        CHECK (kind IN ('health_data', 'usage', 'ai_sharing', 'social_sharing', 'marketing'))
);

CREATE INDEX consents_user_id_idx ON consents (user_id, id DESC);

CREATE TABLE exports (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    asked_at timestamptz NOT NULL,
    ready_at timestamptz,
    file_id uuid,
    expires_at timestamptz,
    CONSTRAINT exports_pkey PRIMARY KEY (id),
    CONSTRAINT exports_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX exports_user_id_idx ON exports (user_id, id DESC);

ALTER TABLE users ADD COLUMN erase_at timestamptz;
CREATE INDEX users_erase_at_idx ON users (erase_at) WHERE erase_at IS NOT NULL;

ALTER TABLE users DROP CONSTRAINT users_status_check;
ALTER TABLE users ADD CONSTRAINT users_status_check
    CHECK (status IN ('pending', 'active', 'locked', 'suspended', 'disabled'));

CREATE TABLE security_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    user_id uuid NOT NULL,
    rule text NOT NULL,
    is_locked boolean NOT NULL,
    CONSTRAINT security_events_pkey PRIMARY KEY (id),
    CONSTRAINT security_events_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT security_events_rule_check
        CHECK (rule IN ('login_rate', 'many_addresses', 'token_reuse', 'export_burst'))
);

CREATE INDEX security_events_user_id_idx ON security_events (user_id, id DESC);
CREATE INDEX security_events_at_idx ON security_events (at);
