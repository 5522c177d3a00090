-- Browsers that are signed in at our own page: each is a login like any other, with a cookie instead of tokens.

CREATE TABLE browsers (
    -- SHA-256 of the cookie.
    digest bytea NOT NULL,
    login_id uuid NOT NULL,
    CONSTRAINT browsers_pkey PRIMARY KEY (digest),
    CONSTRAINT browsers_login_id_key UNIQUE (login_id),
    CONSTRAINT browsers_login_id_fkey FOREIGN KEY (login_id) REFERENCES logins (id) ON DELETE CASCADE,
    CONSTRAINT browsers_digest_check CHECK (octet_length(digest) = 32)
);
