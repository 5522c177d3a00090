-- Set by the transaction that carries a request out: it is not carried out again, whatever becomes of its answer.
ALTER TABLE idempotency_keys ADD COLUMN is_carried_out boolean NOT NULL DEFAULT false;
