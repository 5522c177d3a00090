-- Who did what. Rows are added and never changed or removed.

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    -- Who; nobody is somebody who did not sign in, or the service itself. No foreign keys: the log outlives what it
    -- tells of.
    actor_id uuid,
    organization_id uuid,
    action text NOT NULL,
    -- To what.
    target_id uuid,
    address text,
    request_id text,
    -- Digests of the thing before and after, where it was changed.
    before_digest bytea,
    after_digest bytea,
    detail jsonb,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_action_check CHECK (action ~ '^[a-z_]+\.[a-z_]+$')
);

CREATE INDEX audit_log_actor_id_idx ON audit_log (actor_id, at);
CREATE INDEX audit_log_target_id_idx ON audit_log (target_id, at);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
