-- Secrets that were replaced at the branch one after the other, each as a byte (1, or 0 for none) and 32 bytes: the cloud
-- hears of them in turn, and its word about one of these is no news.
ALTER TABLE local_devices ADD COLUMN passed BLOB NOT NULL DEFAULT x'';
