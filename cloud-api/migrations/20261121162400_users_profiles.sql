-- What users tell about themselves.

CREATE TABLE user_profiles (
    user_id uuid NOT NULL,
    first_name text,
    last_name text,
    date_of_birth date,
    gender text,
    fitness_level text,
    bio text,
    location text,
    time_zone text,
    updated_at timestamptz NOT NULL,
    CONSTRAINT user_profiles_pkey PRIMARY KEY (user_id),
    CONSTRAINT user_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_profiles_gender_check CHECK (gender IN ('male', 'female', 'other')),
    CONSTRAINT user_profiles_fitness_level_check
        CHECK (fitness_level IN ('beginner', 'intermediate', 'advanced'))
);
