-- Events that were applied ahead of the batch of their range: their positions behind acked_seq.
ALTER TABLE edge_epochs ADD COLUMN ahead bigint[] NOT NULL DEFAULT '{}';
