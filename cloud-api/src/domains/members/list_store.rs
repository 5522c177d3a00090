//! SQL of lists of members.

use super::collection::MemberFilter;
use super::model::{Member, Source};
use crate::http::{Caller, Place};
use sqlx::{PgConnection, query_as};

/// Which members to list.
pub struct Wanted<'a> {
    pub caller: &'a Caller,
    pub filter: &'a MemberFilter,
    pub after: Option<Place>,
    pub rows: i64,
}

pub async fn list(db: &mut PgConnection, wanted: Wanted<'_>) -> sqlx::Result<Vec<Member>> {
    let Wanted { caller, filter, after, rows } = wanted;
    let branches: Vec<_> = caller.branches.iter().map(|branch| branch.0).collect();
    let after = after.as_ref();
    query_as!(
        Member,
        r#"SELECT id, organization_id, member_no, reference, display_name, email, user_id,
                  source AS "source: Source", blocked_reason, created_at, updated_at
         FROM (
             SELECT members.*,
                 CASE WHEN $7 THEN lpad(member_no::text, 20, '0') ELSE lower(display_name) END
                     AS key
             FROM members
             WHERE organization_id = $1 AND removed_at IS NULL
                 AND ($2 OR is_seen_at(id, $3))
                 AND ($4::text IS NULL OR strpos(lower(display_name), lower($4)) > 0
                      OR strpos(lower(reference), lower($4)) > 0
                      OR member_no::text = $4 OR email = lower($4))
                 AND ($5::uuid IS NULL OR counts_at(id, ARRAY[$5]))
                 AND ($6::boolean IS NULL OR (blocked_reason IS NOT NULL) = $6)
         ) AS members
         WHERE $9::text IS NULL
             OR CASE WHEN $8 THEN (key, id) < ($9, $10::uuid) ELSE (key, id) > ($9, $10::uuid) END
         ORDER BY CASE WHEN NOT $8 THEN key END, CASE WHEN $8 THEN key END DESC,
                  CASE WHEN NOT $8 THEN id END, CASE WHEN $8 THEN id END DESC
         LIMIT $11"#,
        caller.organization.0,
        caller.is_admin(),
        &branches,
        filter.q.as_deref().map(str::trim),
        filter.branch_id.map(|branch| branch.0),
        filter.blocked,
        filter.sort.is_by_number(),
        filter.sort.is_down(),
        after.map(|place| place.key.as_str()),
        after.map(|place| place.id),
        rows,
    )
    .fetch_all(db)
    .await
}
