-- Keys of NTAG 424 cards, sealed, and settings of branches.

-- Sealed JSON (AES-256-GCM); cards prove themselves with what is inside.
ALTER TABLE organizations ADD COLUMN sun_keys bytea;

-- What edges are told of a secret stays sealed until it is told.
ALTER TABLE branch_items ADD COLUMN is_sealed boolean NOT NULL DEFAULT false;

CREATE TABLE branch_settings (
    branch_id uuid NOT NULL,
    key text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT branch_settings_pkey PRIMARY KEY (branch_id, key),
    CONSTRAINT branch_settings_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT branch_settings_key_check CHECK (key ~ '^[a-z_]{1,40}$')
);
