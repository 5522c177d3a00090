-- Labels and NFC stickers that members scan with their phones: at the entrance of a branch, or on a machine.
CREATE TABLE tags (
    id uuid NOT NULL,
    branch_id uuid NOT NULL,
    -- The entrance, if there is none.
    machine_id uuid,
    kind text NOT NULL,
    token text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT tags_pkey PRIMARY KEY (id),
    CONSTRAINT tags_token_key UNIQUE (token),
    CONSTRAINT tags_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id),
    CONSTRAINT tags_machine_id_fkey FOREIGN KEY (machine_id) REFERENCES devices (id),
    CONSTRAINT tags_kind_check CHECK (kind IN ('qr', 'nfc'))
);

CREATE INDEX tags_branch_idx ON tags (branch_id, created_at, id);
