-- What operators do about edges, and what they are told: commands over REST, enrolment codes by id, silence.

-- Of commands that somebody gave over REST: who, and to which device or edge.
ALTER TABLE commands ADD COLUMN asked_by uuid;
ALTER TABLE commands ADD COLUMN subject_id uuid;
ALTER TABLE commands ADD CONSTRAINT commands_asked_by_fkey
    FOREIGN KEY (asked_by) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX commands_subject_idx ON commands (subject_id, created_at, id)
    WHERE subject_id IS NOT NULL;
CREATE INDEX commands_asked_by_idx ON commands (asked_by) WHERE asked_by IS NOT NULL;

ALTER TABLE enroll_codes ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE enroll_codes ADD CONSTRAINT enroll_codes_id_key UNIQUE (id);

-- Since when it is silent, once its staff were told; null again when they were told that it is back.
ALTER TABLE edges ADD COLUMN silent_since timestamptz;
