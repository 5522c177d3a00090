-- Who ends an account, pictures and scans of bodies, what of it staff may see, and what may be erased of the log.

-- What the operator ended, its owner does not take back.
ALTER TABLE users ADD COLUMN erase_asked_by text;
UPDATE users SET erase_asked_by = 'owner' WHERE erase_at IS NOT NULL;
ALTER TABLE users
    -- The newest security event that they have seen.
    ADD COLUMN security_seen_id bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT users_erase_asked_by_check CHECK (erase_asked_by IN ('owner', 'operator')),
    ADD CONSTRAINT users_erase_check CHECK ((erase_at IS NULL) = (erase_asked_by IS NULL));

ALTER TABLE files DROP CONSTRAINT files_kind_check;
ALTER TABLE files ADD CONSTRAINT files_kind_check CHECK (kind IN ('avatar', 'export', 'body_photo'));

-- Pictures of a body on the day of an entry. The picture itself is a file.
CREATE TABLE body_photos (
    file_id uuid NOT NULL,
    body_metrics_id uuid NOT NULL,
    pose text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT body_photos_pkey PRIMARY KEY (file_id),
    CONSTRAINT body_photos_file_id_fkey FOREIGN KEY (file_id) REFERENCES files (id) ON DELETE CASCADE,
    CONSTRAINT body_photos_body_metrics_id_fkey
        FOREIGN KEY (body_metrics_id) REFERENCES body_metrics (id) ON DELETE CASCADE,
    CONSTRAINT body_photos_pose_key UNIQUE (body_metrics_id, pose),
    CONSTRAINT body_photos_pose_check CHECK (pose IN ('front', 'side', 'back'))
);

-- What a body is made of, as scanners tell it: names and numbers.
ALTER TABLE body_metrics ADD COLUMN composition jsonb NOT NULL DEFAULT '{}';

-- Files of scanners that were taken in. The rows as they came are sealed.
CREATE TABLE body_scans (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- SHA-256 of the file.
    digest bytea NOT NULL,
    uploaded_at timestamptz NOT NULL,
    -- The days that it told of.
    days date[] NOT NULL,
    content bytea NOT NULL,
    CONSTRAINT body_scans_pkey PRIMARY KEY (id),
    CONSTRAINT body_scans_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT body_scans_digest_key UNIQUE (user_id, digest)
);

-- What somebody shows to others; what has no row is private.
CREATE TABLE user_visibility (
    user_id uuid NOT NULL,
    category text NOT NULL,
    audience text NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT user_visibility_pkey PRIMARY KEY (user_id, category),
    CONSTRAINT user_visibility_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_visibility_category_check CHECK (
        category IN ('weight', 'composition', 'measurements', 'photos', 'health', 'activity')),
    CONSTRAINT user_visibility_audience_check CHECK (audience IN ('private', 'staff'))
);

ALTER TABLE security_events DROP CONSTRAINT security_events_rule_check;
ALTER TABLE security_events ADD CONSTRAINT security_events_rule_check CHECK (
    rule IN ('login_rate', 'many_addresses', 'token_reuse', 'export_burst', 'password_guessing'));

-- The log stays as it was written, but that addresses requests came from may be forgotten.
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_LEVEL = 'ROW' THEN
        IF NEW.address IS NULL AND to_jsonb(NEW) - 'address' = to_jsonb(OLD) - 'address' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only';
END
$$;

CREATE INDEX audit_log_address_idx ON audit_log (at) WHERE address IS NOT NULL;
