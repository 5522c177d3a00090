-- Raw telemetry: packed samples of one machine as they were delivered, no member in sight.

CREATE TABLE telemetry_chunks (
    received_at timestamptz NOT NULL,
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    first_seq bigint NOT NULL,
    -- Place in its batch.
    ordinal integer NOT NULL,
    branch_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    boot bigint NOT NULL,
    -- Added to monotonic times inside to get Unix milliseconds.
    offset_ms bigint NOT NULL,
    is_dated boolean NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    count integer NOT NULL,
    -- `protocol::machine::columns`, the same bytes as on the wire.
    columns bytea NOT NULL,
    CONSTRAINT telemetry_chunks_pkey PRIMARY KEY (received_at, edge_id, epoch, first_seq, ordinal)
) PARTITION BY RANGE (received_at);

CREATE INDEX telemetry_chunks_machine_idx ON telemetry_chunks (machine_id, to_at, from_at);
CREATE INDEX telemetry_chunks_undated_idx ON telemetry_chunks (edge_id, boot) WHERE NOT is_dated;

-- One partition per month (UTC); made ahead by a job, and on demand.
CREATE FUNCTION make_telemetry_partition(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'telemetry_chunks_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('telemetry_partitions'));
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF telemetry_chunks FOR VALUES FROM (%L) TO (%L)',
        name, first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00'
    );
END
$$;

-- Drops the partitions that end before a moment, and says how many.
CREATE FUNCTION drop_telemetry_partitions(before timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    found record;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('telemetry_partitions'));
    FOR found IN
        SELECT child.relname AS name
        FROM pg_inherits
        JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'telemetry_chunks'::regclass
          AND to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month' <= before AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('DROP TABLE %I', found.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- Hours whose roll-ups are out of date. The batch's transaction marks them.
CREATE TABLE dirty_hours (
    machine_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    branch_id uuid NOT NULL,
    -- Counts up with each mark, so that one set while the hour is computed is not lost.
    marks bigint NOT NULL,
    first_marked_at timestamptz NOT NULL,
    last_marked_at timestamptz NOT NULL,
    CONSTRAINT dirty_hours_pkey PRIMARY KEY (machine_id, hour)
);

CREATE INDEX dirty_hours_first_marked_at_idx ON dirty_hours (first_marked_at);
