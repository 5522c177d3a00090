//! SQL of what branches were told, and how it is shown.

use crate::ids::BranchId;
use protocol::sync::changes::Change;
use protocol::sync::roster::{CredentialKind, ReaderPlace, RosterItem};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, query};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that a branch knows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RosterEntry {
    /// Where a page ends.
    #[serde(skip)]
    pub place: String,
    /// `member`, `credential`, `staff` or `reader`.
    #[schema(example = "member")]
    pub kind: &'static str,
    pub id: Uuid,
    /// Of people.
    #[schema(example = "Ada L.")]
    pub name: Option<String>,
    /// What else it was told; no numbers of cards and no keys.
    #[schema(value_type = Object, example = json!({"member_no": 7, "memberships": 1}))]
    pub about: Value,
}

/// How much a branch knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RosterCounts {
    pub members: i64,
    pub credentials: i64,
    pub staff: i64,
    pub readers: i64,
}

/// In the order of kinds and ids. What this build cannot read is left out.
pub async fn roster(
    db: &mut PgConnection,
    branch: BranchId,
    after: Option<&str>,
    rows: i64,
) -> sqlx::Result<Vec<RosterEntry>> {
    let rows = query!(
        "SELECT item_id, content FROM branch_items
         WHERE branch_id = $1 AND kind = 4 AND NOT is_removal
             AND ($2::text IS NULL OR item_id > $2)
         ORDER BY item_id LIMIT $3",
        branch.0,
        after,
        rows,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.filter_map(|row| entry(row.item_id, &row.content)).collect())
}

fn entry(place: String, content: &[u8]) -> Option<RosterEntry> {
    let Change::Roster { kind, item, .. } = postcard::from_bytes(content).ok()? else {
        return None;
    };
    let item = RosterItem::decode(kind, &item).ok()?;
    let id = item.id();
    let (kind, name, about) = match item {
        RosterItem::Member(member) => {
            let about = json!({
                "member_no": member.member_no, "blocked": member.blocked,
                "memberships": member.memberships.len(),
                "here": member.memberships.iter().any(|one| one.here),
            });
            ("member", Some(member.display_name), about)
        }
        RosterItem::Credential(one) => {
            let kind = match one.kind {
                CredentialKind::NfcUid { .. } => "nfc_uid",
                CredentialKind::Sun { .. } => "sun",
                CredentialKind::Phone { .. } => "phone",
            };
            let about = json!({ "kind": kind, "member_id": one.member, "enabled": one.enabled });
            ("credential", None, about)
        }
        RosterItem::Staff(staff) => {
            let about = json!({ "role": staff.role, "enabled": staff.enabled });
            ("staff", Some(staff.name), about)
        }
        RosterItem::Reader(reader) => ("reader", None, said(reader.place)),
    };
    Some(RosterEntry { place, kind, id, name, about })
}

fn said(place: ReaderPlace) -> Value {
    match place {
        ReaderPlace::Door => json!({ "place": "door" }),
        ReaderPlace::Entry => json!({ "place": "entry" }),
        ReaderPlace::Exit => json!({ "place": "exit" }),
        ReaderPlace::Machine(machine) => json!({ "place": "machine", "machine_id": machine }),
    }
}

/// With the version of what the branch is told.
pub async fn roster_counts(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<(i64, RosterCounts)> {
    let row = query!(
        r#"SELECT COALESCE((SELECT version FROM branch_versions WHERE branch_id = $1), 0)
                      AS "version!",
                  count(*) FILTER (WHERE item_id LIKE '1-%') AS "members!",
                  count(*) FILTER (WHERE item_id LIKE '2-%') AS "credentials!",
                  count(*) FILTER (WHERE item_id LIKE '3-%') AS "staff!",
                  count(*) FILTER (WHERE item_id LIKE '4-%') AS "readers!"
         FROM branch_items WHERE branch_id = $1 AND kind = 4 AND NOT is_removal"#,
        branch.0,
    );
    let row = row.fetch_one(db).await?;
    let (members, credentials) = (row.members, row.credentials);
    let (staff, readers) = (row.staff, row.readers);
    Ok((row.version, RosterCounts { members, credentials, staff, readers }))
}

/// Settings by key, and keys of those that are sealed.
pub async fn settings(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<(BTreeMap<String, Value>, Vec<String>)> {
    let rows = query!(
        "SELECT item_id, content, is_sealed FROM branch_items
         WHERE branch_id = $1 AND kind = 2 AND NOT is_removal ORDER BY item_id",
        branch.0,
    );
    let (mut settings, mut secret) = (BTreeMap::new(), Vec::new());
    for row in rows.fetch_all(db).await? {
        if row.is_sealed {
            secret.push(row.item_id);
        } else if let Ok(Change::Setting { key, value }) = postcard::from_bytes(&row.content) {
            settings.insert(key, serde_json::from_str(&value).unwrap_or(Value::String(value)));
        }
    }
    Ok((settings, secret))
}

/// The version of what the branch is told, and how many devices that are.
pub async fn devices(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<(i64, i64)> {
    let row = query!(
        r#"SELECT COALESCE((SELECT version FROM branch_versions WHERE branch_id = $1), 0)
                      AS "version!", count(*) AS "devices!"
         FROM branch_items WHERE branch_id = $1 AND kind = 1 AND NOT is_removal"#,
        branch.0,
    );
    let row = row.fetch_one(db).await?;
    Ok((row.version, row.devices))
}
