-- Members of a gym operator, what they may use, and what they are known by at a door.

CREATE TABLE members (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    -- Short number for codes with little room. A sequence never gives one twice.
    member_no bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- What the operator's own books call them; imports find them by it.
    reference text,
    display_name text NOT NULL,
    email text,
    source text NOT NULL,
    -- A code, not prose: branches are told.
    blocked_reason text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz,
    CONSTRAINT members_pkey PRIMARY KEY (id),
    CONSTRAINT members_member_no_key UNIQUE (member_no),
    CONSTRAINT members_organization_id_fkey
        FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT members_reference_check CHECK (char_length(reference) BETWEEN 1 AND 64),
    CONSTRAINT members_display_name_check CHECK (char_length(display_name) BETWEEN 1 AND 100),
    CONSTRAINT members_email_check CHECK (email = lower(email) AND char_length(email) <= 254),
    CONSTRAINT members_source_check CHECK (source IN ('desk', 'import', 'app', 'demo')),
    CONSTRAINT members_blocked_reason_check CHECK (blocked_reason ~ '^[a-z0-9_]{1,40}$')
);

CREATE UNIQUE INDEX members_organization_reference_key
    ON members (organization_id, reference) WHERE removed_at IS NULL;
CREATE INDEX members_organization_name_idx
    ON members (organization_id, lower(display_name), id) WHERE removed_at IS NULL;

-- A right to use branches. Days are those of the branch's own time zone, so they are dates.
CREATE TABLE memberships (
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    -- All branches of the organization, those of later too; else those of membership_branches.
    is_everywhere boolean NOT NULL,
    valid_from date NOT NULL,
    -- The last day; none is without end.
    valid_until date,
    -- `[{"days": ["mon"], "from": "06:00", "until": "22:00"}]`; none is always.
    windows jsonb NOT NULL DEFAULT '[]',
    frozen_reason text,
    source text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (id),
    CONSTRAINT memberships_member_id_fkey
        FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT memberships_valid_until_check CHECK (valid_until >= valid_from),
    CONSTRAINT memberships_windows_check CHECK (jsonb_typeof(windows) = 'array'),
    CONSTRAINT memberships_frozen_reason_check CHECK (frozen_reason ~ '^[a-z0-9_]{1,40}$'),
    CONSTRAINT memberships_source_check CHECK (source IN ('desk', 'import', 'app', 'demo'))
);

CREATE INDEX memberships_member_id_idx ON memberships (member_id);
-- An import keeps one membership per member up to date.
CREATE UNIQUE INDEX memberships_member_import_key ON memberships (member_id) WHERE source = 'import';

CREATE TABLE membership_branches (
    membership_id uuid NOT NULL,
    branch_id uuid NOT NULL,
    CONSTRAINT membership_branches_pkey PRIMARY KEY (membership_id, branch_id),
    CONSTRAINT membership_branches_membership_id_fkey
        FOREIGN KEY (membership_id) REFERENCES memberships (id) ON DELETE CASCADE,
    CONSTRAINT membership_branches_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES branches (id)
);

CREATE TABLE credentials (
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    member_id uuid NOT NULL,
    kind text NOT NULL,
    -- Cards: their number under the organization's credential key. The number itself is nowhere.
    uid_hash bytea,
    -- Phones: SEC1, compressed.
    public_key bytea,
    label text,
    -- Off while a card is looked for.
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    -- For good.
    revoked_at timestamptz,
    CONSTRAINT credentials_pkey PRIMARY KEY (id),
    CONSTRAINT credentials_organization_id_fkey
        FOREIGN KEY (organization_id) REFERENCES organizations (id),
    CONSTRAINT credentials_member_id_fkey
        FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE,
    CONSTRAINT credentials_kind_check CHECK (
        CASE kind
            WHEN 'nfc_uid' THEN octet_length(uid_hash) = 32 AND public_key IS NULL
            WHEN 'sun' THEN octet_length(uid_hash) = 32 AND public_key IS NULL
            WHEN 'phone' THEN octet_length(public_key) = 33 AND uid_hash IS NULL
            ELSE false
        END
    ),
    CONSTRAINT credentials_label_check CHECK (char_length(label) BETWEEN 1 AND 60)
);

CREATE INDEX credentials_member_id_idx ON credentials (member_id);
-- A card or phone is one member's.
CREATE UNIQUE INDEX credentials_uid_hash_key
    ON credentials (organization_id, uid_hash) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX credentials_public_key_key
    ON credentials (organization_id, public_key) WHERE revoked_at IS NULL;
