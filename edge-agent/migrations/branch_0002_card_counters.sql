-- A second memory of the highest counter used of each NTAG 424 DNA, written lazily behind the journal's: a journal
-- that is lost must not let messages of cards be replayed.
CREATE TABLE card_counters (
    card    BLOB PRIMARY KEY, -- keyed hash of its number
    counter INTEGER NOT NULL
) WITHOUT ROWID;
