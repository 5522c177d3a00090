//! Which members were let in the last time they came: who still may when the roster has become too old.

use super::schema;
use protocol::access::Reason;
use protocol::ids::MemberId;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// The members. Only members of the roster get here, so this is bounded.
#[derive(Debug, Default)]
pub struct LetIn {
    members: HashSet<Uuid>,
    changed: BTreeMap<Uuid, bool>,
}

impl LetIn {
    /// Whether a member was let in last time.
    pub fn knows(&self, member: MemberId) -> bool {
        self.members.contains(&member.0)
    }

    /// A member came. A tap that failed for itself says nothing about them.
    pub fn note(&mut self, member: MemberId, reason: Reason) {
        let is_in = match reason {
            Reason::Granted => true,
            Reason::Blocked | Reason::WrongBranch | Reason::Expired | Reason::Frozen => false,
            _ => return,
        };
        let is_news =
            if is_in { self.members.insert(member.0) } else { self.members.remove(&member.0) };
        if is_news {
            self.changed.insert(member.0, is_in);
        }
    }

    /// Takes over what a newer table says: who is not in it was not let in last time.
    pub fn become_like(&mut self, newer: &Self) {
        for &gone in self.members.difference(&newer.members) {
            self.changed.insert(gone, false);
        }
        for &new in newer.members.difference(&self.members) {
            self.changed.insert(new, true);
        }
        self.members.clone_from(&newer.members);
    }

    /// Writes what changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (member, is_in) in &self.changed {
            let sql = if *is_in { schema::PUT_LET_IN } else { schema::DELETE_LET_IN };
            connection.prepare_cached(sql)?.execute([member.as_bytes()])?;
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.changed.clear();
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.changed = self.members.iter().map(|&member| (member, true)).collect();
    }

    /// Reads the table.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::LET_IN)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.members.insert(Uuid::from_bytes(row.get(0)?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: MemberId = MemberId(Uuid::from_u128(1));
    const BEN: MemberId = MemberId(Uuid::from_u128(2));

    #[test]
    fn the_table_knows_who_was_let_in_last_time() {
        let connection = Connection::open_in_memory().unwrap();
        schema::migrate(&connection).unwrap();
        let mut let_in = LetIn::default();
        for (member, reason) in [
            (ADA, Reason::Granted),
            (BEN, Reason::Granted),
            (ADA, Reason::Replayed),
            (BEN, Reason::Blocked),
        ] {
            let_in.note(member, reason);
            let_in.save(&connection).unwrap();
            let_in.saved();
        }

        let mut read = LetIn::default();
        read.load(&connection).unwrap();

        assert!(read.knows(ADA) && !read.knows(BEN));
    }
}
