-- An event has to fit into a message between instances (Postgres: 8 000 bytes), or it would hold up all that follow.

ALTER TABLE outbox ADD CONSTRAINT outbox_data_size_check CHECK (octet_length(data::text) <= 6000);
