//! `/console/branches/{id}/stays/{stay}`: somebody who is inside, before their stay is ended.

use crate::clock::unix_ms;
use crate::domains::floor::{self, PresentFilter, PresentSession};
use crate::domains::machines;
use crate::http::{Caller, Permission};
use crate::ids::BranchId;
use crate::pages::Pages;
use crate::pages::guard::Who;
use crate::pages::layout::Layout;
use crate::pages::reply::{Refusal, Reply, html};
use askama::Template;
use axum::extract::{Path, State};
use page_kit::times;
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "console/stay.html")]
struct View {
    layout: Layout,
    branch: BranchId,
    stay: Uuid,
    since: String,
    machine: Option<String>,
    may_end: bool,
}

pub async fn show(
    State(pages): State<Pages>,
    who: Who,
    Path((id, stay)): Path<(BranchId, Uuid)>,
) -> Reply {
    let mut db = pages.app.db.acquire().await?;
    let place = super::Place::find(&mut db, &who.caller, id).await?;
    let found = find(&mut db, &who.caller, id, stay).await?;
    let machine = match found.machine_id {
        Some(machine) => machines::name(&mut db, machine).await?,
        None => None,
    };
    html(&View {
        layout: Layout::of(&who, found.display_name),
        branch: id,
        stay,
        since: times::moment(&place.settings.zone, unix_ms(found.started_at)),
        machine,
        may_end: who.caller.has(Permission::WriteMembers),
    })
}

/// An open stay at a branch.
pub async fn find(
    db: &mut PgConnection,
    caller: &Caller,
    branch: BranchId,
    stay: Uuid,
) -> Result<PresentSession, Refusal> {
    let here = PresentFilter { branch_id: Some(branch), member_id: None, open: Some(true) };
    let inside = floor::present(db, caller.scope(), &here, None, i64::MAX).await?;
    let found = inside.into_iter().find(|one| one.id == stay);
    found.ok_or_else(|| Refusal::not_found("such stay; perhaps they have left by now"))
}
