-- Machines, readers, bridges and observers of a branch.

CREATE TABLE devices (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    code text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    machine_type text,
    -- The bridge that may speak for it.
    bridge_id uuid,
    -- Nobody can log in as it while there is none.
    secret_sha256 bytea,
    -- Observers: what they may read.
    topics text[] NOT NULL DEFAULT '{}',
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT devices_pkey PRIMARY KEY (id),
    CONSTRAINT devices_branch_id_id_key UNIQUE (branch_id, id),
    CONSTRAINT devices_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT devices_bridge_id_fkey
        FOREIGN KEY (branch_id, bridge_id) REFERENCES devices (branch_id, id),
    CONSTRAINT devices_code_check CHECK (code ~ '^[a-z0-9-]{1,64}$'),
    CONSTRAINT devices_kind_check CHECK (kind IN ('machine', 'reader', 'bridge', 'observer')),
    CONSTRAINT devices_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT devices_machine_type_check CHECK (
        CASE kind
            WHEN 'machine' THEN
                machine_type IS NOT NULL AND machine_type IN ('cardio', 'strength', 'functional')
            ELSE machine_type IS NULL
        END
    ),
    CONSTRAINT devices_secret_sha256_check CHECK (octet_length(secret_sha256) = 32)
);

-- MQTT topics carry the code, so it is unique over all kinds.
CREATE UNIQUE INDEX devices_branch_code_key ON devices (branch_id, code) WHERE removed_at IS NULL;
