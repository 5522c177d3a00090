-- What machines without a gateway say of themselves over HTTPS, and what people and machines report about machines.

CREATE TABLE machine_beats (
    machine_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    state text NOT NULL,
    error text,
    firmware text,
    uptime_ms bigint,
    at timestamptz NOT NULL,
    -- It was missed, and whoever looks was told.
    is_missed boolean NOT NULL DEFAULT false,
    CONSTRAINT machine_beats_pkey PRIMARY KEY (machine_id),
    CONSTRAINT machine_beats_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES devices (id),
    CONSTRAINT machine_beats_state_check CHECK (state IN (
        'idle', 'in_use', 'paused', 'finished', 'out_of_order', 'offline'))
);

CREATE INDEX machine_beats_at_idx ON machine_beats (at) WHERE NOT is_missed;

CREATE TABLE machine_reports (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    source text NOT NULL,
    -- Who said it; null for machines, and for who has left.
    user_id uuid,
    severity text NOT NULL,
    -- In words of the machine's maker.
    code text,
    message text NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by uuid,
    -- What was found or done.
    note text,
    CONSTRAINT machine_reports_pkey PRIMARY KEY (id),
    CONSTRAINT machine_reports_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT machine_reports_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES devices (id),
    CONSTRAINT machine_reports_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT machine_reports_closed_by_fkey
        FOREIGN KEY (closed_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT machine_reports_source_check CHECK (source IN ('member', 'staff', 'machine')),
    CONSTRAINT machine_reports_severity_check CHECK (severity IN ('info', 'warning', 'fault'))
);

CREATE INDEX machine_reports_branch_idx ON machine_reports (branch_id, created_at, id);
CREATE INDEX machine_reports_machine_idx ON machine_reports (machine_id, created_at);
CREATE INDEX machine_reports_open_idx ON machine_reports (machine_id) WHERE closed_at IS NULL;
CREATE INDEX machine_reports_user_idx ON machine_reports (user_id) WHERE user_id IS NOT NULL;

-- What a machine reported by way of its branch is on the same list.
CREATE FUNCTION machine_reports_of_branch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO machine_reports
        (id, branch_id, machine_id, source, severity, code, message, created_at)
    SELECT gen_random_uuid(), NEW.branch_id, NEW.device_id, 'machine', NEW.severity, NEW.code,
           NEW.message, NEW.at
    FROM devices WHERE id = NEW.device_id AND kind = 'machine';
    RETURN NULL;
END $$;

CREATE TRIGGER maintenance_reports_are_told AFTER INSERT ON maintenance_reports
    FOR EACH ROW EXECUTE FUNCTION machine_reports_of_branch();
