-- Users of an external issuer, such as Supabase Auth.
ALTER TABLE identities DROP CONSTRAINT identities_provider_check;
ALTER TABLE identities ADD CONSTRAINT identities_provider_check CHECK (provider IN ('google', 'apple', 'external'));
