-- What may be used once: the highest counter seen of each NTAG 424 DNA (by its keyed hash), and dynamic QR codes
-- until they have expired. Written in the commit of the decision that used them.
CREATE TABLE card_counters (card BLOB PRIMARY KEY, counter INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- In the order of use and read only at start, so that a random key costs no page write.
CREATE TABLE used_codes (
    n INTEGER PRIMARY KEY,
    code BLOB NOT NULL,
    issued_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL
) STRICT;

-- Members who were let in the last time they came.
CREATE TABLE let_in (member BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
