-- What machines delivered over HTTPS, by the id that they gave each record: the same record comes in once.

CREATE TABLE device_records (
    device_id uuid NOT NULL,
    record_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    -- A record that was refused may come again, mended.
    is_rejected boolean NOT NULL,
    CONSTRAINT device_records_pkey PRIMARY KEY (device_id, record_id),
    CONSTRAINT device_records_device_id_fkey FOREIGN KEY (device_id) REFERENCES devices (id)
);

CREATE INDEX device_records_received_at_idx ON device_records (received_at);
CREATE INDEX ingest_rejects_device_idx ON ingest_rejects (device_id, received_at) WHERE device_id IS NOT NULL;
