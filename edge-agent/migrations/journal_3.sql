-- What holds on the floor: stays, lent machines, queues, and what staff changed that the cloud has not taken over yet.
-- Written in the commit of the facts that changed it, so that a start needs no facts that were sent and deleted.
CREATE TABLE floor (
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
