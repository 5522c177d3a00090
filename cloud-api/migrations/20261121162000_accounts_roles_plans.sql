-- Moderators, and what a user has paid for.

ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check
    CHECK (role IN ('admin', 'staff', 'moderator', 'member'));

ALTER TABLE users
    ADD COLUMN plan text NOT NULL DEFAULT 'free',
    -- After this the plan is the free one; without it, it goes on.
    ADD COLUMN plan_ends_at timestamptz,
    ADD CONSTRAINT users_plan_check CHECK (plan IN ('free', 'premium'));
