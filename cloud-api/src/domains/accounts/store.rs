//! SQL of users.

use super::model::{Email, NewUser, Plan, Role, Status, User};
use crate::http::Caller;
use crate::ids::{BranchId, LoginId, UserId};
use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;

/// A user at the moment of a login.
pub struct LoginUser {
    pub user: User,
    pub plan: Plan,
    pub status: Status,
    pub password_hash: Option<String>,
}

/// A user at the moment of a request.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub caller: Caller,
    pub status: Status,
    /// When the plan or the login ends.
    pub good_until: OffsetDateTime,
}

/// An account that an operator made: the address counts as confirmed.
pub async fn insert(
    db: &mut PgConnection,
    new: &NewUser,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    insert_as(db, new, Status::Active, Some(now), now).await
}

/// An account that somebody made for themselves.
pub async fn insert_pending(
    db: &mut PgConnection,
    new: &NewUser,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    insert_as(db, new, Status::Pending, None, now).await
}

async fn insert_as(
    db: &mut PgConnection,
    new: &NewUser,
    status: Status,
    email_verified_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> sqlx::Result<User> {
    query_as!(
        User,
        r#"INSERT INTO users (id, organization_id, email, name, password_hash, role, status,
                              email_verified_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         RETURNING id, organization_id, email, name, role AS "role: Role""#,
        UserId::new().0,
        new.organization.0,
        new.email.as_str(),
        new.name,
        new.password_hash,
        new.role.to_string(),
        status as Status,
        email_verified_at,
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

struct Row {
    id: UserId,
    organization_id: crate::ids::OrganizationId,
    email: String,
    name: String,
    role: Role,
    plan: Plan,
    status: Status,
    password_hash: Option<String>,
}

impl From<Row> for LoginUser {
    fn from(row: Row) -> Self {
        let Row { id, organization_id, email, name, role, .. } = row;
        let user = User { id, organization_id, email, name, role };
        Self { user, plan: row.plan, status: row.status, password_hash: row.password_hash }
    }
}

pub async fn by_email(
    db: &mut PgConnection,
    email: &Email,
    now: OffsetDateTime,
) -> sqlx::Result<Option<LoginUser>> {
    find(db, Some(email), None, now).await
}

pub async fn by_id(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<LoginUser>> {
    find(db, None, Some(user), now).await
}

/// By one of them.
async fn find(
    db: &mut PgConnection,
    email: Option<&Email>,
    user: Option<UserId>,
    now: OffsetDateTime,
) -> sqlx::Result<Option<LoginUser>> {
    let row = query_as!(
        Row,
        r#"SELECT id, organization_id, email, name, role AS "role: Role",
                  CASE WHEN plan_ends_at <= $3 THEN 'free' ELSE plan END AS "plan!: Plan",
                  status AS "status: Status", password_hash
         FROM users WHERE email = $1 OR id = $2"#,
        email.map(Email::as_str),
        user.map(|user| user.0),
        now,
    );
    Ok(row.fetch_optional(db).await?.map(LoginUser::from))
}

/// The user of a login that goes on.
pub async fn caller(
    db: &mut PgConnection,
    user: UserId,
    login: LoginId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<CurrentUser>> {
    let row = query!(
        r#"SELECT organization_id, role AS "role: Role", status AS "status: Status",
                  CASE WHEN plan_ends_at <= $3 THEN 'free' ELSE plan END AS "plan!: Plan",
                  LEAST(CASE WHEN plan_ends_at > $3 THEN plan_ends_at END, expires_at)
                      AS "good_until!",
                  ARRAY(SELECT branch_id FROM branch_staff WHERE user_id = users.id)
                      AS "branches!: Vec<BranchId>"
         FROM users JOIN logins ON logins.user_id = users.id
         WHERE users.id = $1 AND logins.id = $2 AND ended_at IS NULL AND expires_at > $3"#,
        user.0,
        login.0,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| CurrentUser {
        status: row.status,
        good_until: row.good_until,
        caller: Caller {
            user,
            login,
            organization: row.organization_id,
            role: row.role,
            plan: row.plan,
            branches: row.branches,
        },
    }))
}

/// Unless it was changed meanwhile.
pub async fn replace_hash(
    db: &mut PgConnection,
    user: UserId,
    old: &str,
    new: &str,
) -> sqlx::Result<()> {
    query!(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        user.0,
        old,
        new,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn set_hash(db: &mut PgConnection, user: UserId, hash: &str) -> sqlx::Result<()> {
    query!("UPDATE users SET password_hash = $2 WHERE id = $1", user.0, hash).execute(db).await?;
    Ok(())
}

/// If it is still the address of the account.
pub async fn verify_email(
    db: &mut PgConnection,
    user: UserId,
    email: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE users SET email_verified_at = COALESCE(email_verified_at, $3),
                          status = CASE status WHEN 'pending' THEN 'active' ELSE status END
         WHERE id = $1 AND email = $2",
        user.0,
        email,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn is_email_verified(db: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT email_verified_at IS NOT NULL AS "is_verified!" FROM users WHERE id = $1"#,
        user.0,
    )
    .fetch_one(db)
    .await
}

pub async fn change_email(
    db: &mut PgConnection,
    user: UserId,
    email: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    query!(
        "UPDATE users SET email = $2, email_verified_at = $3,
                          status = CASE status WHEN 'pending' THEN 'active' ELSE status END
         WHERE id = $1",
        user.0,
        email,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps others from changing what belongs to somebody until the transaction ends.
pub async fn hold(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query_scalar!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// `None` if it is not in use.
pub async fn lock(db: &mut PgConnection, user: UserId) -> sqlx::Result<Option<String>> {
    query_scalar!(
        "UPDATE users SET status = 'locked' WHERE id = $1 AND status IN ('active', 'pending')
         RETURNING email",
        user.0,
    )
    .fetch_optional(db)
    .await
}

/// Whoever got a letter and chose a new password is the owner again.
pub async fn unlock(db: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    query!("UPDATE users SET status = 'active' WHERE id = $1 AND status = 'locked'", user.0)
        .execute(db)
        .await?;
    Ok(())
}
