-- What a reader is for: a door for both ways if nothing is said, one way, or the machine it is on.

ALTER TABLE devices ADD COLUMN place text;
ALTER TABLE devices ADD COLUMN place_machine_id uuid;
ALTER TABLE devices ADD CONSTRAINT devices_place_check CHECK (
    CASE WHEN place IS NULL THEN place_machine_id IS NULL
         ELSE kind = 'reader' AND place IN ('door', 'entry', 'exit', 'machine')
              AND (place = 'machine') = (place_machine_id IS NOT NULL) END);
