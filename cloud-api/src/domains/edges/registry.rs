//! What a branch's edge is told: the newest content per item, numbered by a counter per branch.

use crate::ids::BranchId;
use protocol::sync::changes::Change;
use sqlx::{PgConnection, query, query_scalar};
use std::collections::HashMap;

/// Notes a change for the branch's edge. The branch's counter stays locked until the caller's transaction
/// ends, so versions become visible in their order and an edge that asks from a version misses nothing.
pub async fn registry_changed(
    db: &mut PgConnection,
    branch: BranchId,
    change: &Change,
) -> anyhow::Result<()> {
    registry_changed_all(db, branch, std::slice::from_ref(change)).await
}

/// Notes many changes at the cost of few statements. Who tells several branches goes by the order of their ids,
/// so that two who do cannot wait for each other.
pub async fn registry_changed_all(
    db: &mut PgConnection,
    branch: BranchId,
    changes: &[Change],
) -> anyhow::Result<()> {
    let mut items = Items::default();
    for change in newest(changes) {
        items.push(change, false)?;
    }
    items.write(db, branch).await
}

/// Notes a setting whose value stays sealed until an edge is told.
pub async fn secret_setting_changed(
    db: &mut PgConnection,
    branch: BranchId,
    key: &str,
    sealed: &[u8],
) -> anyhow::Result<()> {
    let mut items = Items::default();
    let change = Change::Setting { key: key.to_owned(), value: hex::encode(sealed) };
    items.push(&change, true)?;
    items.write(db, branch).await
}

/// Of several changes of one item, the last: one statement writes a row only once.
fn newest(changes: &[Change]) -> impl Iterator<Item = &Change> {
    let places = changes.iter().map(|change| {
        let (kind, item_id, _) = place(change);
        (kind, item_id)
    });
    let last: HashMap<_, _> = places.clone().zip(0..).collect();
    let is_last = places.zip(0..).map(move |(place, index): (_, usize)| last[&place] == index);
    changes.iter().zip(is_last.collect::<Vec<_>>()).filter_map(|(change, is)| is.then_some(change))
}

/// Rows to write, by column.
#[derive(Default)]
struct Items {
    kinds: Vec<i16>,
    ids: Vec<String>,
    contents: Vec<Vec<u8>>,
    removals: Vec<bool>,
    sealed: Vec<bool>,
}

/// Rows written by one statement.
const AT_ONCE: usize = 5_000;

impl Items {
    fn push(&mut self, change: &Change, is_sealed: bool) -> anyhow::Result<()> {
        let (kind, item_id, is_removal) = place(change);
        self.kinds.push(kind);
        self.ids.push(item_id);
        self.contents.push(postcard::to_allocvec(change)?);
        self.removals.push(is_removal);
        self.sealed.push(is_sealed);
        Ok(())
    }

    async fn write(self, db: &mut PgConnection, branch: BranchId) -> anyhow::Result<()> {
        let count = i64::try_from(self.ids.len())?;
        if count == 0 {
            return Ok(());
        }
        let version = query_scalar!(
            "INSERT INTO branch_versions (branch_id, version) VALUES ($1, $2)
             ON CONFLICT (branch_id) DO UPDATE SET version = branch_versions.version + $2
             RETURNING version",
            branch.0,
            count,
        )
        .fetch_one(&mut *db)
        .await?;
        let mut before = version - count;
        for start in (0..self.ids.len()).step_by(AT_ONCE) {
            let end = (start + AT_ONCE).min(self.ids.len());
            self.write_some(db, branch, before, start..end).await?;
            before += i64::try_from(end - start)?;
        }
        // Heard by every instance when the transaction commits; wakes the long polls of that branch.
        query!("SELECT pg_notify('branch_changes', $1)", branch.to_string()).execute(db).await?;
        Ok(())
    }

    /// Numbers go on after `before`.
    async fn write_some(
        &self,
        db: &mut PgConnection,
        branch: BranchId,
        before: i64,
        rows: std::ops::Range<usize>,
    ) -> sqlx::Result<()> {
        query!(
            "INSERT INTO branch_items
                 (branch_id, kind, item_id, version, content, is_removal, is_sealed)
             SELECT $1, kind, item_id, $2 + place, content, is_removal, is_sealed
             FROM UNNEST($3::smallint[], $4::text[], $5::bytea[], $6::boolean[], $7::boolean[])
                 WITH ORDINALITY AS items (kind, item_id, content, is_removal, is_sealed, place)
             ON CONFLICT ON CONSTRAINT branch_items_pkey
             DO UPDATE SET version = excluded.version, content = excluded.content,
                 is_removal = excluded.is_removal, is_sealed = excluded.is_sealed",
            branch.0,
            before,
            &self.kinds[rows.clone()],
            &self.ids[rows.clone()],
            &self.contents[rows.clone()],
            &self.removals[rows.clone()],
            &self.sealed[rows],
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// Which item a change replaces. The numbers are in the database.
fn place(change: &Change) -> (i16, String, bool) {
    match change {
        Change::Device(device) => (1, device.id.to_string(), false),
        Change::DeviceRemoved(id) => (1, id.to_string(), true),
        Change::Setting { key, .. } => (2, key.clone(), false),
        Change::SettingRemoved(key) => (2, key.clone(), true),
        Change::CloudKey(key) => (3, key.key_id.to_string(), false),
        Change::CloudKeyRemoved(key_id) => (3, key_id.to_string(), true),
        Change::Roster { kind, id, item } => {
            (4, format!("{kind}-{}", hex::encode(id)), item.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_changes_of_one_item_the_last_is_written() {
        let set = |key: &str, value: &str| Change::Setting { key: key.into(), value: value.into() };
        let changes = [
            set("a", "1"),
            set("b", "2"),
            Change::SettingRemoved("a".into()),
            Change::CloudKeyRemoved(1),
        ];

        let written: Vec<_> = newest(&changes).collect();

        assert_eq!(written, [&changes[1], &changes[2], &changes[3]]);
    }
}
