-- What staff say of machines and readers beyond what their branch has to know.
ALTER TABLE devices ADD COLUMN number text;
ALTER TABLE devices ADD COLUMN model text;
ALTER TABLE devices ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
ALTER TABLE devices ADD COLUMN location text;
-- Of readers: cards, codes or both.
ALTER TABLE devices ADD COLUMN reads text;
-- After how many hours of use, or days, a machine wants service; and when it had it.
ALTER TABLE devices ADD COLUMN service_every_h integer;
ALTER TABLE devices ADD COLUMN service_every_days integer;
ALTER TABLE devices ADD COLUMN serviced_at timestamptz;
-- Since when and why a machine is out of use; `condition_at_ms` is when the last word about it was said.
ALTER TABLE devices ADD COLUMN out_of_use_since timestamptz;
ALTER TABLE devices ADD COLUMN out_of_use_reason text;
ALTER TABLE devices ADD COLUMN condition_at_ms bigint;
ALTER TABLE devices ADD CONSTRAINT devices_number_check CHECK (char_length(number) BETWEEN 1 AND 20);
ALTER TABLE devices ADD CONSTRAINT devices_reads_check CHECK (
    reads IS NULL OR kind = 'reader' AND reads IN ('cards', 'codes', 'both'));
ALTER TABLE devices ADD CONSTRAINT devices_out_of_use_check CHECK (
    out_of_use_since IS NOT NULL OR out_of_use_reason IS NULL);

CREATE UNIQUE INDEX devices_branch_number_key
    ON devices (branch_id, number) WHERE removed_at IS NULL AND number IS NOT NULL;
