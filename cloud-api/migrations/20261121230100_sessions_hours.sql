-- Stays by branch and hour, for figures over a year. Hours are those of the wall clock at the branch.
CREATE TABLE visit_hours (
    branch_id uuid NOT NULL,
    hour timestamp NOT NULL,
    arrivals integer NOT NULL,
    departures integer NOT NULL,
    -- How long those took that ended in this hour.
    stay_s bigint NOT NULL,
    -- Seconds that all together were inside in this hour.
    inside_s bigint NOT NULL,
    CONSTRAINT visit_hours_pkey PRIMARY KEY (branch_id, hour),
    CONSTRAINT visit_hours_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

-- From which moment on the hours of a branch have to be summed up again.
CREATE TABLE visit_hours_stale (
    branch_id uuid NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT visit_hours_stale_pkey PRIMARY KEY (branch_id),
    CONSTRAINT visit_hours_stale_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

INSERT INTO visit_hours_stale (branch_id, since)
SELECT branch_id, min(started_at) FROM gym_sessions GROUP BY branch_id;
