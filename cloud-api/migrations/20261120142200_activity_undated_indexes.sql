-- Rows that wait for a synced stamp of their boot; normally none.

CREATE INDEX taps_undated_idx ON taps (edge_id, boot) WHERE NOT is_dated;
CREATE INDEX finished_sets_undated_idx ON finished_sets (edge_id, boot) WHERE NOT is_dated;
CREATE INDEX device_statuses_undated_idx ON device_statuses (edge_id, boot) WHERE NOT is_dated;
CREATE INDEX maintenance_reports_undated_idx ON maintenance_reports (edge_id, boot) WHERE NOT is_dated;
CREATE INDEX command_results_undated_idx ON command_results (edge_id, boot) WHERE NOT is_dated;
CREATE INDEX ingest_rejects_undated_idx ON ingest_rejects (edge_id, boot) WHERE NOT is_dated;
