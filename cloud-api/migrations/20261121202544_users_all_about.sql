-- What users set and tell, what was measured of them, what they did, and their files.

CREATE TABLE user_preferences (
    user_id uuid NOT NULL,
    units text NOT NULL,
    default_rest_s integer NOT NULL,
    workout_reminders boolean NOT NULL,
    progress_updates boolean NOT NULL,
    social_activity boolean NOT NULL,
    coach_recommendations boolean NOT NULL,
    profile_visibility text NOT NULL,
    workout_sharing boolean NOT NULL,
    progress_sharing boolean NOT NULL,
    -- The app's own.
    app jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT user_preferences_pkey PRIMARY KEY (user_id),
    CONSTRAINT user_preferences_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_preferences_units_check CHECK (units IN ('metric', 'imperial')),
    CONSTRAINT user_preferences_visibility_check
        CHECK (profile_visibility IN ('public', 'friends', 'private')),
    CONSTRAINT user_preferences_app_check CHECK (octet_length(app::text) <= 20000)
);

-- What tells of somebody's health: JSON, sealed.
CREATE TABLE user_health (
    user_id uuid NOT NULL,
    kind text NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT user_health_pkey PRIMARY KEY (user_id, kind),
    CONSTRAINT user_health_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_health_kind_check CHECK (kind IN ('fitness_profile', 'diet_preferences'))
);

CREATE TABLE body_metrics (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    measured_on date NOT NULL,
    weight_kg double precision,
    height_cm double precision,
    body_fat_pct double precision,
    resting_heart_rate_bpm integer,
    girths_cm jsonb NOT NULL,
    mood smallint,
    -- Sealed.
    notes bytea,
    source text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT body_metrics_pkey PRIMARY KEY (id),
    CONSTRAINT body_metrics_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT body_metrics_day_key UNIQUE (user_id, measured_on, source),
    CONSTRAINT body_metrics_source_check CHECK (source IN ('manual', 'scan'))
);

-- What somebody did; visits are read from gym_sessions.
CREATE TABLE user_activity (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    CONSTRAINT user_activity_pkey PRIMARY KEY (id),
    CONSTRAINT user_activity_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_activity_kind_check CHECK (kind ~ '^[a-z_]{1,40}$')
);

CREATE INDEX user_activity_user_id_idx ON user_activity (user_id, at DESC, id DESC);

-- How much of the app somebody uses, a day and feature.
CREATE TABLE app_usage (
    user_id uuid NOT NULL,
    day date NOT NULL,
    feature text NOT NULL,
    uses bigint NOT NULL,
    seconds bigint NOT NULL,
    CONSTRAINT app_usage_pkey PRIMARY KEY (user_id, day, feature),
    CONSTRAINT app_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX app_usage_day_idx ON app_usage (day);

CREATE TABLE feedback (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    message text NOT NULL,
    app_version text,
    created_at timestamptz NOT NULL,
    CONSTRAINT feedback_pkey PRIMARY KEY (id),
    CONSTRAINT feedback_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT feedback_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT feedback_kind_check CHECK (kind IN ('improvement', 'feature', 'problem', 'praise'))
);

CREATE INDEX feedback_organization_id_idx ON feedback (organization_id, id);

-- Files of users; their content is in the store, below users/<owner>/.
CREATE TABLE files (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    kind text NOT NULL,
    content_type text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT files_pkey PRIMARY KEY (id),
    CONSTRAINT files_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT files_kind_check CHECK (kind IN ('avatar', 'export'))
);

-- One picture of everybody.
CREATE UNIQUE INDEX files_avatar_key ON files (owner_id) WHERE kind = 'avatar';
CREATE INDEX files_owner_id_idx ON files (owner_id);
CREATE INDEX files_expires_at_idx ON files (expires_at) WHERE expires_at IS NOT NULL;

-- Who may join by the app: at once, or when staff agree.
ALTER TABLE branches
    ADD COLUMN joining text NOT NULL DEFAULT 'approval',
    ADD CONSTRAINT branches_joining_check CHECK (joining IN ('open', 'approval'));

CREATE TABLE join_requests (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT join_requests_pkey PRIMARY KEY (id),
    CONSTRAINT join_requests_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT join_requests_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id) ON DELETE CASCADE,
    CONSTRAINT join_requests_user_branch_key UNIQUE (user_id, branch_id)
);

CREATE INDEX join_requests_branch_id_idx ON join_requests (branch_id, id);
