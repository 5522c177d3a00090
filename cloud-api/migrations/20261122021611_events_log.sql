-- What is told live (WebSocket, server-sent events), kept for a day so that a client goes on where it was cut off.
-- An event arrives in the transaction in which it happened. One instance at a time moves on what has arrived and numbers
-- it, so numbers grow in the order in which events became visible; those of a sequence would not.

CREATE TABLE events_arrived (
    arrival bigint GENERATED ALWAYS AS IDENTITY,
    -- Tells whether a snapshot knows of it already.
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL,
    audience text NOT NULL,
    -- A user or a branch. No foreign keys: what was told stays so.
    audience_id uuid NOT NULL,
    kind text NOT NULL,
    data json NOT NULL,
    CONSTRAINT events_arrived_pkey PRIMARY KEY (arrival),
    CONSTRAINT events_arrived_audience_check CHECK (audience IN ('user', 'branch', 'staff')),
    CONSTRAINT events_arrived_data_size_check CHECK (octet_length(data::text) <= 16384)
);

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    transaction xid8 NOT NULL,
    at timestamptz NOT NULL,
    audience text NOT NULL,
    audience_id uuid NOT NULL,
    kind text NOT NULL,
    data json NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id)
);

CREATE INDEX events_audience_idx ON events (audience_id, id);
CREATE INDEX events_at_idx ON events USING brin (at);

CREATE FUNCTION tell_events_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('events_arrived', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER events_arrived_tell AFTER INSERT ON events_arrived
    FOR EACH STATEMENT EXECUTE FUNCTION tell_events_arrived();
