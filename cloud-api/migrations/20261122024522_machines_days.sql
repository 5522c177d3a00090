-- What became of machines, day by day at their branches, for figures over months.
CREATE TABLE machine_days (
    machine_id uuid NOT NULL,
    day date NOT NULL,
    sessions integer NOT NULL,
    used_s integer NOT NULL,
    -- Of those who waited and got it.
    waits integer NOT NULL,
    wait_s integer NOT NULL,
    offline_s integer NOT NULL,
    out_of_order_s integer NOT NULL,
    CONSTRAINT machine_days_pkey PRIMARY KEY (machine_id, day),
    CONSTRAINT machine_days_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES devices (id)
);

-- From which moments on the days of a machine have to be summed up again. Many rows for one machine mean the earliest:
-- whoever adds one waits for nobody.
CREATE TABLE machine_days_stale (
    machine_id uuid NOT NULL,
    since timestamptz NOT NULL
);

CREATE INDEX machine_days_stale_machine_idx ON machine_days_stale (machine_id);

CREATE FUNCTION machine_days_of_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO machine_days_stale VALUES (OLD.machine_id, OLD.started_at);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO machine_days_stale VALUES (NEW.machine_id, NEW.started_at);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER links_are_summed_up AFTER INSERT OR UPDATE OR DELETE ON links
    FOR EACH ROW EXECUTE FUNCTION machine_days_of_link();

CREATE FUNCTION machine_days_of_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO machine_days_stale VALUES (OLD.device_id, OLD.at);
    END IF;
    INSERT INTO machine_days_stale VALUES (NEW.device_id, NEW.at);
    RETURN NULL;
END $$;

CREATE TRIGGER device_statuses_are_summed_up AFTER INSERT OR UPDATE ON device_statuses
    FOR EACH ROW EXECUTE FUNCTION machine_days_of_status();

INSERT INTO machine_days_stale SELECT machine_id, min(started_at) FROM links GROUP BY machine_id;
INSERT INTO machine_days_stale SELECT device_id, min(at) FROM device_statuses GROUP BY device_id;
