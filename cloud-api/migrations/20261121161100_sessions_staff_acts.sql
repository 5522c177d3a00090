-- What staff did on the pages of their branches.

CREATE TABLE staff_acts (
    edge_id uuid NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    branch_id uuid NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    staff_id uuid,
    name text NOT NULL,
    -- JSON of `protocol::sync::staff::Act`, without the hash of a card.
    act jsonb NOT NULL,
    -- Postcard of the same, whole, until it is taken over.
    content bytea,
    reason text,
    CONSTRAINT staff_acts_pkey PRIMARY KEY (edge_id, epoch, seq)
);

CREATE INDEX staff_acts_branch_idx ON staff_acts (branch_id, at);
CREATE INDEX staff_acts_new_idx ON staff_acts (branch_id) WHERE content IS NOT NULL;
