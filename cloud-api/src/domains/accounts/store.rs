//! SQL of the domain.

use super::model::{Email, NewUser, Role, Status, User};
use crate::http::Caller;
use crate::ids::{BranchId, UserId};
use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;

/// A user at the moment of a login.
pub struct LoginUser {
    pub user: User,
    pub status: Status,
    pub password_hash: Option<String>,
}

/// A user at the moment of a request.
pub struct CurrentUser {
    pub caller: Caller,
    pub status: Status,
}

pub async fn insert(
    db: &mut PgConnection,
    new: &NewUser,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    query_as!(
        User,
        r#"INSERT INTO users (id, organization_id, email, name, password_hash, role, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         RETURNING id, organization_id, email, name, role AS "role: Role""#,
        UserId::new().0,
        new.organization.0,
        new.email.as_str(),
        new.name,
        new.password_hash,
        new.role.to_string(),
        now,
    )
    .fetch_one(db)
    .await
}

pub async fn add_to_branch(
    db: &mut PgConnection,
    user: UserId,
    branch: BranchId,
) -> sqlx::Result<()> {
    query!("INSERT INTO branch_staff (user_id, branch_id) VALUES ($1, $2)", user.0, branch.0)
        .execute(db)
        .await?;
    Ok(())
}

pub async fn by_email(db: &mut PgConnection, email: &Email) -> sqlx::Result<Option<LoginUser>> {
    let row = query!(
        r#"SELECT id, organization_id, email, name, role AS "role: Role",
                  status AS "status: Status", password_hash
         FROM users WHERE email = $1"#,
        email.as_str(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| LoginUser {
        status: row.status,
        password_hash: row.password_hash,
        user: User {
            id: row.id,
            organization_id: row.organization_id,
            email: row.email,
            name: row.name,
            role: row.role,
        },
    }))
}

pub async fn caller(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<CurrentUser>> {
    let row = query!(
        r#"SELECT organization_id, role AS "role: Role", status AS "status: Status",
                  ARRAY(SELECT branch_id FROM branch_staff WHERE user_id = users.id)
                      AS "branches!: Vec<BranchId>"
         FROM users WHERE id = $1"#,
        user.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| CurrentUser {
        status: row.status,
        caller: Caller {
            user,
            organization: row.organization_id,
            role: row.role,
            branches: row.branches,
        },
    }))
}
