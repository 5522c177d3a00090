-- People who log in, and the keys that tokens are signed with.

CREATE TABLE users (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    -- Lower case; compared as it is.
    email text NOT NULL,
    name text NOT NULL,
    -- PHC string; nobody can log in with a password while there is none.
    password_hash text,
    role text NOT NULL,
    status text NOT NULL DEFAULT 'active',
    created_at timestamptz NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_organization_id_fkey
        FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_email_check CHECK (email = lower(email) AND char_length(email) <= 254),
    CONSTRAINT users_role_check CHECK (role IN ('admin', 'staff', 'member')),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended', 'disabled'))
);

CREATE TABLE branch_staff (
    user_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    CONSTRAINT branch_staff_pkey PRIMARY KEY (user_id, branch_id),
    CONSTRAINT branch_staff_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT branch_staff_branch_id_fkey
        FOREIGN KEY (branch_id) REFERENCES branches (id) ON DELETE CASCADE
);

CREATE INDEX branch_staff_branch_id_idx ON branch_staff (branch_id);

-- Ed25519. Numbers below 0x8000 are the cloud's in every signed message (QR codes, changes, tokens).
CREATE TABLE signing_keys (
    key_id integer NOT NULL,
    purpose text NOT NULL,
    seed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Signs no more, but is still believed until it is deleted.
    retired_at timestamptz,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (key_id),
    CONSTRAINT signing_keys_key_id_check CHECK (key_id BETWEEN 1 AND 32767),
    CONSTRAINT signing_keys_purpose_check CHECK (purpose IN ('user_token', 'edge_token', 'branch')),
    CONSTRAINT signing_keys_seed_check CHECK (octet_length(seed) = 32)
);

-- One key per purpose signs.
CREATE UNIQUE INDEX signing_keys_active_key ON signing_keys (purpose) WHERE retired_at IS NULL;
