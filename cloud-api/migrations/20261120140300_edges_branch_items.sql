-- What edges are told: the newest content per item, numbered per branch.

CREATE TABLE branch_versions (
    branch_id uuid NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT branch_versions_pkey PRIMARY KEY (branch_id),
    CONSTRAINT branch_versions_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

CREATE TABLE branch_items (
    branch_id uuid NOT NULL,
    kind smallint NOT NULL,
    item_id text NOT NULL,
    version bigint NOT NULL,
    -- Postcard of `protocol::sync::changes::Change`; removals stay as what they are.
    content bytea NOT NULL,
    is_removal boolean NOT NULL,
    CONSTRAINT branch_items_pkey PRIMARY KEY (branch_id, kind, item_id),
    CONSTRAINT branch_items_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

CREATE UNIQUE INDEX branch_items_version_key ON branch_items (branch_id, version);
