//! SQL of imports: what is there, read whole, and what is new, written many rows at a time.

use super::Wanted;
use super::file::BranchNames;
use super::plan::{CardRow, MemberRow, MembershipRow};
use crate::domains::members::model::{CredentialKind, Source};
use crate::domains::members::value::Reason;
use crate::ids::{BranchId, MemberId, MembershipId, OrganizationId};
use sqlx::{PgConnection, query};
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;

/// What an organization has.
#[derive(Debug, Default)]
pub struct Known {
    /// By reference.
    pub members: HashMap<String, KnownMember>,
    /// By hash.
    pub cards: HashMap<[u8; 32], KnownCard>,
    pub revoked_cards: HashSet<(MemberId, [u8; 32])>,
}

#[derive(Debug)]
pub struct KnownMember {
    pub id: MemberId,
    pub display_name: String,
    pub email: Option<String>,
    pub blocked_reason: Option<String>,
    /// The one that imports keep up to date.
    pub membership: Option<(MembershipId, Wanted)>,
}

#[derive(Debug)]
pub struct KnownCard {
    pub member: MemberId,
    pub kind: CredentialKind,
}

/// A name that two branches have is none.
pub async fn branch_names(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<BranchNames> {
    let rows =
        query!("SELECT id, name, site_no FROM branches WHERE organization_id = $1", organization.0);
    let mut names = BranchNames::new();
    for row in rows.fetch_all(db).await? {
        names.insert(row.id.to_string(), row.id);
        names.insert(row.site_no.to_string(), row.id);
        names.insert(row.name, row.id);
    }
    Ok(names)
}

pub async fn known(db: &mut PgConnection, organization: OrganizationId) -> sqlx::Result<Known> {
    let mut known = Known { members: members(db, organization).await?, ..Known::default() };
    let rows = query!(
        r#"SELECT member_id, kind AS "kind: CredentialKind", uid_hash AS "uid_hash!",
                  revoked_at IS NOT NULL AS "is_revoked!"
         FROM credentials WHERE organization_id = $1 AND uid_hash IS NOT NULL"#,
        organization.0,
    );
    for row in rows.fetch_all(db).await? {
        let Ok(hash) = <[u8; 32]>::try_from(row.uid_hash) else { continue };
        if row.is_revoked {
            known.revoked_cards.insert((row.member_id, hash));
        } else {
            known.cards.insert(hash, KnownCard { member: row.member_id, kind: row.kind });
        }
    }
    Ok(known)
}

async fn members(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<HashMap<String, KnownMember>> {
    let rows = query!(
        r#"SELECT members.id, reference AS "reference!", display_name, email, blocked_reason,
                  memberships.id AS "membership_id?", is_everywhere AS "is_everywhere?",
                  valid_from AS "valid_from?", valid_until, frozen_reason,
                  ARRAY(SELECT branch_id FROM membership_branches
                        WHERE membership_id = memberships.id ORDER BY branch_id)
                      AS "branches!: Vec<BranchId>"
         FROM members
         LEFT JOIN memberships ON member_id = members.id AND memberships.source = 'import'
         WHERE organization_id = $1 AND reference IS NOT NULL AND removed_at IS NULL"#,
        organization.0,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let members = rows.map(|row| {
        let membership = row.membership_id.zip(row.valid_from).map(|(id, valid_from)| {
            let branches = (row.is_everywhere != Some(true)).then_some(row.branches);
            let frozen = row.frozen_reason.and_then(|reason| reason.parse::<Reason>().ok());
            (id, Wanted { branches, valid_from, valid_until: row.valid_until, frozen })
        });
        let member = KnownMember {
            id: row.id,
            display_name: row.display_name,
            email: row.email,
            blocked_reason: row.blocked_reason,
            membership,
        };
        (row.reference, member)
    });
    Ok(members.collect())
}

pub async fn insert_members(
    db: &mut PgConnection,
    organization: OrganizationId,
    rows: &[MemberRow],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let columns = Columns::of(rows);
    query!(
        "INSERT INTO members (id, organization_id, reference, display_name, email, blocked_reason,
             source, created_at, updated_at)
         SELECT id, $1, reference, display_name, email, blocked_reason, $2, $3, $3
         FROM UNNEST($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
             AS rows (id, reference, display_name, email, blocked_reason)
         ORDER BY id",
        organization.0,
        Source::Import.name(),
        now,
        &columns.ids,
        &columns.references as _,
        &columns.display_names as _,
        &columns.emails as _,
        &columns.blocked_reasons as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn update_members(
    db: &mut PgConnection,
    rows: &[MemberRow],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let columns = Columns::of(rows);
    query!(
        "UPDATE members SET display_name = new.display_name, email = new.email,
             blocked_reason = new.blocked_reason, updated_at = $1
         FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::text[])
             AS new (id, display_name, email, blocked_reason)
         WHERE members.id = new.id",
        now,
        &columns.ids,
        &columns.display_names as _,
        &columns.emails as _,
        &columns.blocked_reasons as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Rows by column.
struct Columns<'a> {
    ids: Vec<uuid::Uuid>,
    references: Vec<&'a str>,
    display_names: Vec<&'a str>,
    emails: Vec<Option<&'a str>>,
    blocked_reasons: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn of(rows: &'a [MemberRow]) -> Self {
        Self {
            ids: rows.iter().map(|row| row.id.0).collect(),
            references: rows.iter().map(|row| row.reference.as_str()).collect(),
            display_names: rows.iter().map(|row| row.display_name.as_str()).collect(),
            emails: rows.iter().map(|row| row.email.as_deref()).collect(),
            blocked_reasons: rows.iter().map(|row| row.blocked_reason.as_deref()).collect(),
        }
    }
}

/// Makes memberships or replaces them.
pub async fn put_memberships(
    db: &mut PgConnection,
    rows: &[MembershipRow],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    let members: Vec<_> = rows.iter().map(|row| row.member.0).collect();
    let everywhere: Vec<_> = rows.iter().map(|row| row.wanted.branches.is_none()).collect();
    let from: Vec<_> = rows.iter().map(|row| row.wanted.valid_from).collect();
    let until: Vec<_> = rows.iter().map(|row| row.wanted.valid_until).collect();
    let frozen: Vec<_> =
        rows.iter().map(|row| row.wanted.frozen.as_ref().map(Reason::as_str)).collect();
    query!(
        "INSERT INTO memberships (id, member_id, is_everywhere, valid_from, valid_until,
             frozen_reason, source, created_at, updated_at)
         SELECT id, member_id, is_everywhere, valid_from, valid_until, frozen_reason, $1, $2, $2
         FROM UNNEST($3::uuid[], $4::uuid[], $5::boolean[], $6::date[], $7::date[], $8::text[])
             AS rows (id, member_id, is_everywhere, valid_from, valid_until, frozen_reason)
         ON CONFLICT ON CONSTRAINT memberships_pkey DO UPDATE SET
             is_everywhere = excluded.is_everywhere, valid_from = excluded.valid_from,
             valid_until = excluded.valid_until, frozen_reason = excluded.frozen_reason,
             updated_at = excluded.updated_at",
        Source::Import.name(),
        now,
        &ids,
        &members,
        &everywhere,
        &from,
        &until as _,
        &frozen as _,
    )
    .execute(&mut *db)
    .await?;
    place_memberships(db, rows, &ids).await
}

async fn place_memberships(
    db: &mut PgConnection,
    rows: &[MembershipRow],
    ids: &[uuid::Uuid],
) -> sqlx::Result<()> {
    query!("DELETE FROM membership_branches WHERE membership_id = ANY($1)", ids)
        .execute(&mut *db)
        .await?;
    let places = rows.iter().flat_map(|row| {
        let branches = row.wanted.branches.iter().flatten();
        branches.map(|branch| (row.id.0, branch.0))
    });
    let (memberships, branches): (Vec<_>, Vec<_>) = places.unzip();
    query!(
        "INSERT INTO membership_branches (membership_id, branch_id)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[])",
        &memberships,
        &branches,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub async fn insert_cards(
    db: &mut PgConnection,
    organization: OrganizationId,
    rows: &[CardRow],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    let members: Vec<_> = rows.iter().map(|row| row.member.0).collect();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.name()).collect();
    let hashes: Vec<_> = rows.iter().map(|row| row.uid_hash.as_slice()).collect();
    query!(
        "INSERT INTO credentials (id, organization_id, member_id, kind, uid_hash, created_at)
         SELECT id, $1, member_id, kind, uid_hash, $2
         FROM UNNEST($3::uuid[], $4::uuid[], $5::text[], $6::bytea[])
             AS rows (id, member_id, kind, uid_hash)",
        organization.0,
        now,
        &ids,
        &members,
        &kinds as _,
        &hashes as _,
    )
    .execute(db)
    .await?;
    Ok(())
}
