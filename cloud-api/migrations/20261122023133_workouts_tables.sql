-- Workouts out of what machines measured. All of it but what staff decided can be made anew from facts, sets and samples,
-- and is only ever replaced.

-- The stay of a member at a moment.
CREATE FUNCTION stay_of(member uuid, branch uuid, moment timestamptz) RETURNS uuid
LANGUAGE sql STABLE STRICT
RETURN (
    SELECT latest.id FROM (
        SELECT id, branch_id, ended_at FROM gym_sessions
        WHERE member_id = member AND started_at <= moment AND end_reason IS DISTINCT FROM 'rejected'
        ORDER BY started_at DESC, id DESC LIMIT 1
    ) AS latest
    WHERE latest.branch_id = branch AND (latest.ended_at IS NULL OR latest.ended_at >= moment)
);

-- What staff decided about work at a machine that nobody had taken: whose it was, or that it counts for nobody.
CREATE TABLE workout_assignments (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    -- Nobody's, if there is none.
    member_id uuid,
    -- The stay it is attached to, if staff named one.
    session_id uuid,
    -- None where an account was erased.
    decided_by uuid,
    decided_at timestamptz NOT NULL,
    CONSTRAINT workout_assignments_pkey PRIMARY KEY (id),
    CONSTRAINT workout_assignments_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT workout_assignments_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES devices (id)
);

CREATE INDEX workout_assignments_machine_idx ON workout_assignments (machine_id, to_at);
CREATE INDEX workout_assignments_member_idx ON workout_assignments (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX links_machine_idx ON links (machine_id, started_at);
CREATE INDEX links_member_idx ON links (member_id, started_at);
CREATE INDEX finished_sets_link_idx ON finished_sets (link_id) WHERE link_id IS NOT NULL;

CREATE TABLE machine_workouts (
    -- That of the stay; of what was assigned without one, that of the decision.
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    session_id uuid,
    started_at timestamptz NOT NULL,
    -- None while the stay goes on.
    ended_at timestamptz,
    sets integer NOT NULL,
    reps integer NOT NULL,
    volume_kg double precision NOT NULL,
    moving_s double precision NOT NULL,
    distance_m double precision NOT NULL,
    energy_kcal double precision NOT NULL,
    heart jsonb,
    CONSTRAINT machine_workouts_pkey PRIMARY KEY (id)
);

CREATE INDEX machine_workouts_member_idx ON machine_workouts (member_id, started_at, id);
CREATE INDEX machine_workouts_branch_idx ON machine_workouts (branch_id, started_at, id);

CREATE TABLE machine_exercises (
    workout_id uuid NOT NULL,
    place integer NOT NULL,
    member_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    -- Of an effort: the link, or the decision.
    stretch_id uuid,
    -- What records are kept by.
    exercise text NOT NULL,
    name text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    sets jsonb NOT NULL,
    effort jsonb,
    heart jsonb,
    is_late boolean NOT NULL,
    CONSTRAINT machine_exercises_pkey PRIMARY KEY (workout_id, place),
    CONSTRAINT machine_exercises_workout_id_fkey
        FOREIGN KEY (workout_id) REFERENCES machine_workouts (id) ON DELETE CASCADE
);

CREATE INDEX machine_exercises_member_idx ON machine_exercises (member_id, exercise, started_at);

CREATE TABLE machine_records (
    member_id uuid NOT NULL,
    exercise text NOT NULL,
    measure text NOT NULL,
    -- Of repetitions: at this weight; else 0.
    weight_cg bigint NOT NULL,
    name text NOT NULL,
    value double precision NOT NULL,
    previous double precision,
    achieved_at timestamptz NOT NULL,
    workout_id uuid NOT NULL,
    CONSTRAINT machine_records_pkey PRIMARY KEY (member_id, exercise, measure, weight_cg)
);

-- Records that members were told of: each once, whatever is worked out again.
CREATE TABLE told_records (
    member_id uuid NOT NULL,
    exercise text NOT NULL,
    measure text NOT NULL,
    weight_cg bigint NOT NULL,
    value double precision NOT NULL,
    CONSTRAINT told_records_pkey PRIMARY KEY (member_id, exercise, measure, weight_cg, value)
);

-- Workouts that are out of date.
CREATE TABLE stale_workouts (
    workout_id uuid NOT NULL,
    first_marked_at timestamptz NOT NULL,
    last_marked_at timestamptz NOT NULL,
    CONSTRAINT stale_workouts_pkey PRIMARY KEY (workout_id)
);

CREATE INDEX stale_workouts_first_marked_at_idx ON stale_workouts (first_marked_at);

-- Work at a machine that nobody had taken, for staff to look at.
CREATE TABLE workout_orphans (
    -- Made of machine and beginning.
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    machine_id uuid NOT NULL,
    day date NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    sets integer NOT NULL,
    reps integer NOT NULL,
    max_weight_kg double precision,
    distance_m double precision NOT NULL,
    energy_kcal double precision NOT NULL,
    CONSTRAINT workout_orphans_pkey PRIMARY KEY (id)
);

CREATE INDEX workout_orphans_branch_idx ON workout_orphans (branch_id, started_at, id);
CREATE INDEX workout_orphans_machine_idx ON workout_orphans (machine_id, day);

-- Days (UTC) of machines whose orphans are out of date.
CREATE TABLE stale_orphans (
    machine_id uuid NOT NULL,
    day date NOT NULL,
    first_marked_at timestamptz NOT NULL,
    last_marked_at timestamptz NOT NULL,
    CONSTRAINT stale_orphans_pkey PRIMARY KEY (machine_id, day)
);

CREATE INDEX stale_orphans_first_marked_at_idx ON stale_orphans (first_marked_at);

-- Stretches in which no heart rate is kept: chunks are written without it, also those that come later.
CREATE TABLE heart_erasures (
    machine_id uuid NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    CONSTRAINT heart_erasures_pkey PRIMARY KEY (machine_id, from_at, to_at)
);

-- Hours whose chunks may be merged once nothing comes for them any more.
CREATE TABLE unmerged_hours (
    machine_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    CONSTRAINT unmerged_hours_pkey PRIMARY KEY (machine_id, hour)
);

CREATE INDEX unmerged_hours_hour_idx ON unmerged_hours (hour);

-- What was there before.
INSERT INTO stale_workouts (workout_id, first_marked_at, last_marked_at)
SELECT id, now(), now() FROM gym_sessions;
