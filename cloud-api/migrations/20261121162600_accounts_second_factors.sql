-- Codes of an app besides the password, and codes for when the app is lost.

CREATE TABLE second_factors (
    user_id uuid NOT NULL,
    -- Sealed.
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Asked for from then on.
    confirmed_at timestamptz,
    -- Codes up to this step of time were used.
    last_step bigint NOT NULL DEFAULT 0,
    CONSTRAINT second_factors_pkey PRIMARY KEY (user_id),
    CONSTRAINT second_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, digest),
    CONSTRAINT recovery_codes_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES second_factors (user_id) ON DELETE CASCADE
);
