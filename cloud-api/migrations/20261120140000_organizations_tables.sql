-- A gym operator and its locations.

CREATE TABLE organizations (
    id uuid NOT NULL,
    name text NOT NULL,
    -- Card numbers are hashed under this key, here and on the edges.
    credential_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT organizations_pkey PRIMARY KEY (id),
    CONSTRAINT organizations_name_key UNIQUE (name),
    CONSTRAINT organizations_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT organizations_credential_key_check CHECK (octet_length(credential_key) = 32)
);

CREATE TABLE branches (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    -- Short number for QR codes, which have room for 16 bits; 0 means any branch there.
    site_no integer NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT branches_pkey PRIMARY KEY (id),
    CONSTRAINT branches_organization_id_fkey
        FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT branches_organization_name_key UNIQUE (organization_id, name),
    CONSTRAINT branches_site_no_key UNIQUE (site_no),
    CONSTRAINT branches_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT branches_site_no_check CHECK (site_no BETWEEN 1 AND 65535)
);
