//! What can be ordered at a branch. Each is written down with who did it, in the transaction that does it.

use super::Place;
use super::{machine, stay};
use crate::audit;
use crate::domains::branches;
use crate::domains::edges::{self, Order};
use crate::domains::floor::{self, Certainty};
use crate::domains::sessions::Wanted;
use crate::http::Origin;
use crate::ids::BranchId;
use crate::pages::Pages;
use crate::pages::guard::Who;
use crate::pages::layout::Layout;
use crate::pages::reply::{Reply, html, see};
use askama::Template;
use axum::extract::{Path, State};
use protocol::ids::Code;
use protocol::sync::commands::Target;
use protocol::sync::entry::DeviceKind;
use serde_json::{Map, json};
use time::Duration;
use uuid::Uuid;

/// What is ordered is void after this: nobody is surprised by it later.
const ORDER_LIVES: Duration = Duration::minutes(10);

pub async fn out_of_use(
    state: State<Pages>,
    who: Who,
    origin: Origin,
    path: Path<(BranchId, String)>,
) -> Reply {
    order_machine(state, who, origin, path, "lock", "out-of-use").await
}

pub async fn in_use(
    state: State<Pages>,
    who: Who,
    origin: Origin,
    path: Path<(BranchId, String)>,
) -> Reply {
    order_machine(state, who, origin, path, "unlock", "in-use").await
}

async fn order_machine(
    State(pages): State<Pages>,
    who: Who,
    origin: Origin,
    Path((id, code)): Path<(BranchId, String)>,
    command: &'static str,
    done: &str,
) -> Reply {
    let app = &pages.app;
    let mut tx = app.db.begin().await?;
    let found = machine::find(&pages, &mut tx, &who.caller, id, &code).await?;
    let target = Target {
        kind: DeviceKind::Machine,
        code: code.parse::<Code>().map_err(anyhow::Error::from)?,
    };
    let order = order(id, Some(target), command);
    edges::give_command(&mut tx, &order, &app.clock).await?;
    let entry = audit::Entry::asked("machine.ordered", &who.caller, &origin);
    let entry = entry.on(found.machine.id).detail(json!({ "command": command }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(see(&format!("/console/branches/{id}/machines/{code}?done={done}")))
}

fn order(branch: BranchId, target: Option<Target>, command: &str) -> Order {
    Order { branch, target, command: command.to_owned(), args: Map::new(), ttl: ORDER_LIVES }
}

pub async fn restart(
    State(pages): State<Pages>,
    who: Who,
    origin: Origin,
    Path(id): Path<BranchId>,
) -> Reply {
    let app = &pages.app;
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &who.caller, id).await?;
    edges::give_command(&mut tx, &order(id, None, "restart"), &app.clock).await?;
    let entry = audit::Entry::asked("edge.restart_ordered", &who.caller, &origin).on(id);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(see(&format!("/console/branches/{id}?done=restart")))
}

#[derive(Template)]
#[template(path = "console/code.html")]
struct Shown {
    layout: Layout,
    id: BranchId,
    branch: String,
    cloud: String,
    code: String,
}

/// The code is in the answer alone: only its hash is kept.
pub async fn enrol_code(
    State(pages): State<Pages>,
    who: Who,
    origin: Origin,
    Path(id): Path<BranchId>,
) -> Reply {
    let (app, now) = (&pages.app, pages.app.clock.now());
    let mut tx = app.db.begin().await?;
    let branch = branches::visible(&mut tx, &who.caller, id).await?;
    let code = edges::make_enroll_code(&mut tx, id, now).await?;
    let entry = audit::Entry::asked("edge.enroll_code_made", &who.caller, &origin).on(id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    html(&Shown {
        layout: Layout::of(&who, "Enrolment code"),
        id,
        branch: branch.name,
        cloud: app.config.http.public_url.clone(),
        code: code.to_string(),
    })
}

/// The branch is asked, as the member's app would; a silent one is told when it is heard again.
pub async fn end_stay(
    State(pages): State<Pages>,
    who: Who,
    origin: Origin,
    Path((id, stay)): Path<(BranchId, Uuid)>,
) -> Reply {
    let app = &pages.app;
    let mut tx = app.db.begin().await?;
    let place = Place::find(&mut tx, &who.caller, id).await?;
    let found = stay::find(&mut tx, &who.caller, id, stay).await?;
    let entry = audit::Entry::asked("stay.end_ordered", &who.caller, &origin);
    let entry = entry.on(stay).detail(json!({ "member": found.member_id, "branch": id }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    let wanted = Wanted::CheckOut { member: found.member_id, session: stay };
    let answered = floor::ask(app, &place.branch, wanted).await?;
    let done = if answered.certainty == Certainty::Confirmed { "ended" } else { "asked" };
    Ok(see(&format!("/console/branches/{id}?done={done}")))
}
