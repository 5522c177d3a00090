//! SQL of accounts as admins see them.

use super::directory_item::AccountChange;
use super::model::{Plan, Role, Status};
use crate::ids::{BranchId, OrganizationId, UserId};
use serde::Serialize;
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    pub id: UserId,
    #[schema(example = "ada@example.com")]
    pub email: String,
    pub name: String,
    pub role: Role,
    pub status: Status,
    pub plan: Plan,
    #[serde(with = "time::serde::rfc3339::option")]
    pub plan_ends_at: Option<OffsetDateTime>,
    /// Where a member of staff works.
    pub branch_ids: Vec<BranchId>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_login_at: Option<OffsetDateTime>,
    /// When it is erased, if they or the operator asked for it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub erase_at: Option<OffsetDateTime>,
}

impl Account {
    /// What an admin may say differently.
    pub fn said(&self) -> AccountChange {
        AccountChange {
            name: self.name.clone(),
            role: self.role,
            status: self.status,
            plan: self.plan,
            plan_ends_at: self.plan_ends_at,
            branch_ids: self.branch_ids.clone(),
        }
    }
}

/// Which accounts.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    pub text: Option<&'a str>,
    pub role: Option<Role>,
    pub status: Option<Status>,
    pub before: Option<UserId>,
    pub only: Option<UserId>,
    pub rows: i64,
}

pub async fn list(
    db: &mut PgConnection,
    organization: OrganizationId,
    wanted: Wanted<'_>,
) -> sqlx::Result<Vec<Account>> {
    query_as!(
        Account,
        r#"SELECT id, email, name, role AS "role: Role", status AS "status: Status",
                  plan AS "plan: Plan", plan_ends_at,
                  ARRAY(SELECT branch_id FROM branch_staff WHERE user_id = users.id
                        ORDER BY branch_id) AS "branch_ids!: Vec<BranchId>",
                  created_at, last_login_at, erase_at
           FROM users
           WHERE organization_id = $1
               AND ($2::text IS NULL OR strpos(lower(name), lower($2)) > 0
                    OR strpos(email, lower($2)) > 0)
               AND ($3::text IS NULL OR role = $3) AND ($4::text IS NULL OR status = $4)
               AND ($5::uuid IS NULL OR id < $5) AND ($6::uuid IS NULL OR id = $6)
           ORDER BY id DESC LIMIT $7"#,
        organization.0,
        wanted.text,
        wanted.role as Option<Role>,
        wanted.status as Option<Status>,
        wanted.before.map(|id| id.0),
        wanted.only.map(|id| id.0),
        wanted.rows,
    )
    .fetch_all(db)
    .await
}

pub async fn one(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: UserId,
) -> sqlx::Result<Option<Account>> {
    let wanted = Wanted { only: Some(id), rows: 1, ..Wanted::default() };
    Ok(list(db, organization, wanted).await?.pop())
}

/// Whether somebody else runs the organization and stays; nobody of them leaves meanwhile.
pub async fn has_other_admin(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: UserId,
) -> sqlx::Result<bool> {
    let staying = query_scalar!(
        r#"SELECT id AS "id: UserId" FROM users
           WHERE organization_id = $1 AND role = 'admin' AND status = 'active' AND erase_at IS NULL
           ORDER BY id FOR UPDATE"#,
        organization.0,
    );
    Ok(staying.fetch_all(db).await?.iter().any(|admin| *admin != id))
}

/// Branches of others are left out.
pub async fn update(
    db: &mut PgConnection,
    organization: OrganizationId,
    id: UserId,
    change: &AccountChange,
) -> sqlx::Result<()> {
    query!(
        "UPDATE users SET name = $2, role = $3, status = $4, plan = $5, plan_ends_at = $6
         WHERE id = $1",
        id.0,
        change.name,
        change.role as Role,
        change.status as Status,
        change.plan as Plan,
        change.plan_ends_at,
    )
    .execute(&mut *db)
    .await?;
    query!("DELETE FROM branch_staff WHERE user_id = $1", id.0).execute(&mut *db).await?;
    let branches: Vec<_> = change.branch_ids.iter().map(|branch| branch.0).collect();
    query!(
        "INSERT INTO branch_staff (user_id, branch_id)
         SELECT $1, id FROM branches WHERE organization_id = $2 AND id = ANY($3)",
        id.0,
        organization.0,
        &branches,
    )
    .execute(db)
    .await?;
    Ok(())
}
