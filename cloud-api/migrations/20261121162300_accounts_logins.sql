-- Logins with their refresh tokens, and the tokens that are sent by mail.

ALTER TABLE users DROP CONSTRAINT users_status_check;
ALTER TABLE users ADD CONSTRAINT users_status_check
    CHECK (status IN ('pending', 'active', 'suspended', 'disabled'));
ALTER TABLE users
    ADD COLUMN email_verified_at timestamptz,
    ADD COLUMN last_login_at timestamptz;
-- So far an operator made every account.
UPDATE users SET email_verified_at = created_at;

-- One device that is logged in: the family of its refresh tokens.
CREATE TABLE logins (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- What the app calls its installation.
    device_id text,
    device_name text,
    user_agent text,
    address text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    CONSTRAINT logins_pkey PRIMARY KEY (id),
    CONSTRAINT logins_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT logins_end_check CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX logins_user_id_idx ON logins (user_id, id);
CREATE INDEX logins_expires_at_idx ON logins (expires_at);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token.
    digest bytea NOT NULL,
    login_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    used_at timestamptz,
    -- What it was exchanged for.
    successor bytea,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT refresh_tokens_login_id_fkey
        FOREIGN KEY (login_id) REFERENCES logins (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_digest_check CHECK (octet_length(digest) = 32)
);

CREATE INDEX refresh_tokens_login_id_idx ON refresh_tokens (login_id);

-- Tokens in links of letters; good once.
CREATE TABLE mail_tokens (
    digest bytea NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    -- The address that the letter went to.
    email text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT mail_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT mail_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT mail_tokens_purpose_check
        CHECK (purpose IN ('verify_email', 'reset_password', 'change_email')),
    CONSTRAINT mail_tokens_digest_check CHECK (octet_length(digest) = 32)
);

CREATE INDEX mail_tokens_user_id_idx ON mail_tokens (user_id);
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);

-- Every instance remembers who callers are; whatever changes that tells all of them.
CREATE FUNCTION tell_caller_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('callers', COALESCE(changed ->> 'user_id', changed ->> 'id'));
    RETURN NULL;
END
$$;

CREATE TRIGGER users_tell_caller
    AFTER UPDATE OF email, role, status, plan, plan_ends_at, organization_id OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION tell_caller_changed();
CREATE TRIGGER branch_staff_tell_caller AFTER INSERT OR UPDATE OR DELETE ON branch_staff
    FOR EACH ROW EXECUTE FUNCTION tell_caller_changed();
CREATE TRIGGER logins_tell_caller AFTER UPDATE OF ended_at OR DELETE ON logins
    FOR EACH ROW EXECUTE FUNCTION tell_caller_changed();
