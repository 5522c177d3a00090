-- Starts of an edge's operating system of which no synchronised stamp has come yet, in the order in which they were heard
-- of. When a later start is dated and these never were, they are placed before it, one behind the other.
CREATE TABLE edge_undated_boots (
    edge_id uuid NOT NULL,
    boot bigint NOT NULL,
    n bigint GENERATED ALWAYS AS IDENTITY,
    -- The latest monotonic time that is known of it.
    last_mono_ms bigint NOT NULL,
    CONSTRAINT edge_undated_boots_pkey PRIMARY KEY (edge_id, boot),
    CONSTRAINT edge_undated_boots_edge_id_fkey FOREIGN KEY (edge_id) REFERENCES edges (id)
);
