//! SQL of the domain.

use super::model::{Tag, TagKind};
use super::sheet::Label;
use crate::http::Place;
use crate::http::auth::Scope;
use crate::ids::{BranchId, DeviceId, OrganizationId, TagId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// The tag that says this, in an organization.
pub async fn by_token(
    db: &mut PgConnection,
    organization: OrganizationId,
    kind: TagKind,
    token: &str,
) -> sqlx::Result<Option<Tag>> {
    query_as!(
        Tag,
        r#"SELECT tags.id, branch_id, machine_id AS "machine_id: DeviceId", kind AS "kind: TagKind",
                  token, tags.created_at
         FROM tags JOIN branches ON branches.id = branch_id
         WHERE token = $2 AND kind = $3 AND revoked_at IS NULL AND organization_id = $1"#,
        organization.0,
        token,
        kind as TagKind,
    )
    .fetch_optional(db)
    .await
}

/// A tag that is in the scope.
pub async fn by_id(
    db: &mut PgConnection,
    scope: Scope<'_>,
    id: TagId,
) -> sqlx::Result<Option<Tag>> {
    let (organization, branches) = scope.parameters();
    query_as!(
        Tag,
        r#"SELECT tags.id, branch_id, machine_id AS "machine_id: DeviceId", kind AS "kind: TagKind",
                  token, tags.created_at
         FROM tags JOIN branches ON branches.id = branch_id
         WHERE tags.id = $3 AND revoked_at IS NULL
             AND (organization_id = $1 OR branch_id = ANY($2))"#,
        organization,
        &branches,
        id.0,
    )
    .fetch_optional(db)
    .await
}

/// Those of branches in the scope, by age.
pub async fn list(
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
    machine: Option<DeviceId>,
    after: Option<Place>,
    rows: i64,
) -> sqlx::Result<Vec<Tag>> {
    let (organization, branches) = scope.parameters();
    query_as!(
        Tag,
        r#"SELECT tags.id, branch_id, machine_id AS "machine_id: DeviceId", kind AS "kind: TagKind",
                  token, tags.created_at
         FROM tags JOIN branches ON branches.id = branch_id
         WHERE revoked_at IS NULL AND (organization_id = $1 OR branch_id = ANY($2))
             AND ($3::uuid IS NULL OR branch_id = $3) AND ($4::uuid IS NULL OR machine_id = $4)
             AND ($5::uuid IS NULL OR tags.id > $5)
         ORDER BY tags.id LIMIT $6"#,
        organization,
        &branches,
        branch.map(|id| id.0),
        machine.map(|id| id.0),
        after.map(|place| place.id),
        rows,
    )
    .fetch_all(db)
    .await
}

pub async fn insert(db: &mut PgConnection, tag: &Tag) -> sqlx::Result<()> {
    query!(
        "INSERT INTO tags (id, branch_id, machine_id, kind, token, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        tag.id.0,
        tag.branch_id.0,
        tag.machine_id.map(|id| id.0),
        tag.kind as TagKind,
        tag.token,
        tag.created_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn revoke(db: &mut PgConnection, id: TagId, now: OffsetDateTime) -> sqlx::Result<()> {
    query!("UPDATE tags SET revoked_at = $2 WHERE id = $1", id.0, now).execute(db).await?;
    Ok(())
}

/// Those of a machine that is retired.
pub async fn revoke_all(
    db: &mut PgConnection,
    machine: DeviceId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE tags SET revoked_at = $2 WHERE machine_id = $1 AND revoked_at IS NULL",
        machine.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What of a branch has no printed label: machines, by name, and none for the entrance.
pub async fn without_label(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<Vec<Option<DeviceId>>> {
    query!("SELECT id FROM branches WHERE id = $1 FOR NO KEY UPDATE", branch.0)
        .fetch_one(&mut *db)
        .await?;
    let machines = query_scalar!(
        r#"SELECT id FROM devices
         WHERE branch_id = $1 AND kind = 'machine' AND removed_at IS NULL AND NOT EXISTS (
             SELECT FROM tags WHERE machine_id = devices.id AND kind = 'qr' AND revoked_at IS NULL)
         ORDER BY name, id"#,
        branch.0,
    );
    let mut bare: Vec<_> = machines.fetch_all(&mut *db).await?.into_iter().map(Some).collect();
    let entrance = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM tags WHERE branch_id = $1 AND machine_id IS NULL
               AND kind = 'qr' AND revoked_at IS NULL) AS "has!""#,
        branch.0,
    );
    if !entrance.fetch_one(db).await? {
        bare.push(None);
    }
    Ok(bare)
}

/// Printed labels of a branch: that of the entrance, then those of machines by name.
pub async fn labels(
    db: &mut PgConnection,
    branch: BranchId,
    branch_name: &str,
) -> sqlx::Result<Vec<Label>> {
    let rows = query!(
        r#"SELECT token, devices.name AS "name?", number AS "number?", code AS "code?"
         FROM tags LEFT JOIN devices ON devices.id = machine_id
         WHERE tags.branch_id = $1 AND tags.kind = 'qr' AND revoked_at IS NULL
         ORDER BY machine_id IS NOT NULL, devices.name, tags.id"#,
        branch.0,
    );
    let labels = rows.fetch_all(db).await?.into_iter().map(|row| {
        let detail = [row.number, row.code].into_iter().flatten().collect::<Vec<_>>().join("  ");
        let is_entrance = row.name.is_none();
        let title = row.name.unwrap_or_else(|| branch_name.to_owned());
        let detail = if is_entrance { "Entrance".to_owned() } else { detail };
        Label { token: row.token, title, detail }
    });
    Ok(labels.collect())
}
