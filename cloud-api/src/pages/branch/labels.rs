//! `/console/branches/{id}/labels`: the labels of a branch on one page, to print.

use crate::domains::{branches, tags};
use crate::ids::BranchId;
use crate::pages::Pages;
use crate::pages::guard::Who;
use crate::pages::layout::Layout;
use crate::pages::reply::{Reply, html};
use askama::Template;
use axum::extract::{Path, State};

#[derive(Template)]
#[template(path = "console/labels.html")]
struct View {
    layout: Layout,
    branch: BranchId,
    labels: Vec<String>,
}

pub async fn show(State(pages): State<Pages>, who: Who, Path(id): Path<BranchId>) -> Reply {
    let mut db = pages.app.db.acquire().await?;
    let branch = branches::visible(&mut db, &who.caller, id).await?;
    let labels = tags::labels(&mut db, &branch).await?;
    let layout = Layout::of(&who, format!("Labels of {}", branch.name));
    html(&View { layout, branch: id, labels })
}
