-- Accounts elsewhere that somebody signs in with. Their subject is the key, never their address.

CREATE TABLE identities (
    provider text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT identities_pkey PRIMARY KEY (provider, subject),
    CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT identities_provider_check CHECK (provider IN ('google', 'apple'))
);

CREATE INDEX identities_user_id_idx ON identities (user_id);
