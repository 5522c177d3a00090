-- The key that an edge has announced and not used yet. With its first use it takes the place of public_key.
ALTER TABLE edges
    ADD COLUMN next_public_key bytea,
    ADD CONSTRAINT edges_next_public_key_check CHECK (octet_length(next_public_key) = 32);
