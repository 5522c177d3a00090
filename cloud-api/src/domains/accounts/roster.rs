//! What branches are told of those who work there: staff of the branch and admins of the organization.

use super::model::{Role, Status};
use crate::domains::edges::registry_changed_all;
use crate::domains::organizations;
use crate::ids::{BranchId, OrganizationId, UserId};
use protocol::sync::roster::{RosterItem, RosterKind, StaffRecord};
use sqlx::{PgConnection, query_as, query_scalar};

/// Somebody who works there.
struct Worker {
    id: UserId,
    name: String,
    role: Role,
    status: Status,
}

/// Tells a branch how one of its people is now.
pub async fn tell_of(db: &mut PgConnection, branch: BranchId, user: UserId) -> anyhow::Result<()> {
    let worker = query_as!(
        Worker,
        r#"SELECT id, name, role AS "role: Role", status AS "status: Status" FROM users
           WHERE id = $1"#,
        user.0,
    );
    let change = record(worker.fetch_one(&mut *db).await?).change();
    registry_changed_all(db, branch, &[change]).await
}

/// Tells a new branch of the admins; nobody else works there yet.
pub async fn tell_branch(
    db: &mut PgConnection,
    organization: OrganizationId,
    branch: BranchId,
) -> anyhow::Result<()> {
    let admins = query_as!(
        Worker,
        r#"SELECT id, name, role AS "role: Role", status AS "status: Status" FROM users
           WHERE organization_id = $1 AND role = 'admin' ORDER BY id"#,
        organization.0,
    );
    let admins = admins.fetch_all(&mut *db).await?.into_iter();
    let changes: Vec<_> = admins.map(|admin| record(admin).change()).collect();
    registry_changed_all(db, branch, &changes).await
}

/// Tells all branches whether, and as what, somebody works there.
pub async fn tell_everywhere(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
) -> anyhow::Result<()> {
    let at = query_scalar!(
        "SELECT branches.id FROM branches JOIN users ON users.id = $2
         WHERE branches.organization_id = $1 AND (role = 'admin' OR role = 'staff' AND EXISTS (
             SELECT FROM branch_staff WHERE branch_id = branches.id AND user_id = $2))",
        organization.0,
        user.0,
    );
    let at = at.fetch_all(&mut *db).await?;
    for branch in organizations::branches(db, organization).await? {
        if at.contains(&branch) {
            tell_of(db, branch, user).await?;
        } else {
            let gone = RosterKind::Staff.removed(user.0);
            registry_changed_all(db, branch, &[gone]).await?;
        }
    }
    Ok(())
}

fn record(worker: Worker) -> RosterItem {
    RosterItem::Staff(StaffRecord {
        id: worker.id.into(),
        name: worker.name,
        role: worker.role.to_string(),
        enabled: worker.status == Status::Active,
    })
}
