//! `/console/branches/{id}/machines/{code}`: one machine, and taking it out of use.

use super::floor::{kind_words, state_words};
use crate::domains::branches;
use crate::domains::machines::{self, MachineNow};
use crate::http::{Caller, Permission};
use crate::ids::BranchId;
use crate::pages::Pages;
use crate::pages::guard::Who;
use crate::pages::layout::Layout;
use crate::pages::reply::{Refusal, Reply, html};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use sqlx::PgConnection;

#[derive(Template)]
#[template(path = "console/machine.html")]
struct View {
    layout: Layout,
    branch: BranchId,
    code: String,
    kind: &'static str,
    look: &'static str,
    words: &'static str,
    error: Option<String>,
    may_act: bool,
}

pub async fn show(
    State(pages): State<Pages>,
    who: Who,
    Path((id, code)): Path<(BranchId, String)>,
    uri: Uri,
) -> Reply {
    let mut db = pages.app.db.acquire().await?;
    let MachineNow { machine, availability, error } =
        find(&pages, &mut db, &who.caller, id, &code).await?;
    let (look, words) = state_words(availability);
    html(&View {
        layout: Layout::of(&who, machine.name.as_str()).after(&uri),
        branch: id,
        code: machine.code,
        kind: kind_words(machine.kind),
        look,
        words,
        error,
        may_act: who.caller.has(Permission::WriteMachines),
    })
}

/// A machine of a branch that somebody may see.
pub async fn find(
    pages: &Pages,
    db: &mut PgConnection,
    caller: &Caller,
    branch: BranchId,
    code: &str,
) -> Result<MachineNow, Refusal> {
    branches::visible(db, caller, branch).await?;
    let machines = machines::now(&pages.app, db, caller.scope(), Some(branch)).await?;
    let found = machines.into_iter().find(|one| one.machine.code == code);
    found.ok_or_else(|| Refusal::not_found("such machine"))
}
