-- The account that a member uses, and what staff see.

ALTER TABLE members
    ADD COLUMN user_id uuid,
    ADD CONSTRAINT members_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL;

-- One person, one member.
CREATE UNIQUE INDEX members_user_id_key ON members (user_id) WHERE removed_at IS NULL;

-- Whether a member has a right, present or past, at one of these branches.
CREATE FUNCTION counts_at(member_id uuid, branches uuid[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM memberships LEFT JOIN membership_branches ON membership_id = memberships.id
        WHERE memberships.member_id = $1 AND (is_everywhere OR branch_id = ANY($2))
    )
$$;

-- Whether staff of these branches see a member: one who has a right there, and one who has none anywhere yet.
CREATE FUNCTION is_seen_at(member_id uuid, branches uuid[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT counts_at($1, $2) OR NOT EXISTS (SELECT FROM memberships WHERE memberships.member_id = $1)
$$;
