-- An app takes over a sign-in that a browser made at a provider's page: with a code, good once and for a minute, and
-- with what its challenge was made of.
CREATE TABLE sign_in_codes (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    challenge text NOT NULL CHECK (length(challenge) = 43),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_codes_expires_at_idx ON sign_in_codes (expires_at);
CREATE INDEX sign_in_codes_user_id_idx ON sign_in_codes (user_id);
