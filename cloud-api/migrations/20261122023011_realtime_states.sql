-- What machines last said of themselves, so that only news are told, whichever instance hears it.

CREATE TABLE machine_states (
    machine_id uuid NOT NULL,
    -- Of the state of the edge that said it.
    boot bigint,
    n bigint,
    state text,
    error text,
    CONSTRAINT machine_states_pkey PRIMARY KEY (machine_id),
    CONSTRAINT machine_states_machine_id_fkey
        FOREIGN KEY (machine_id) REFERENCES devices (id) ON DELETE CASCADE
);

-- Who listens, by way of which instance. An instance that was not seen for a minute has gone.
CREATE TABLE online_instances (
    instance uuid NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT online_instances_pkey PRIMARY KEY (instance)
);

CREATE TABLE online_users (
    instance uuid NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT online_users_pkey PRIMARY KEY (user_id, instance),
    CONSTRAINT online_users_instance_fkey
        FOREIGN KEY (instance) REFERENCES online_instances (instance) ON DELETE CASCADE,
    CONSTRAINT online_users_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX online_users_instance_idx ON online_users (instance);

-- Who is a member decides which branches they hear.
CREATE FUNCTION tell_member_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('callers', OLD.user_id::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER members_tell_caller AFTER UPDATE OF user_id, removed_at ON members
    FOR EACH ROW WHEN (OLD.user_id IS NOT NULL) EXECUTE FUNCTION tell_member_changed();
