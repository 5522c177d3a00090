//! Members from a file, as an operator's own software writes it. The same file twice changes nothing the second
//! time; a file with an error changes nothing at all; everything is one transaction.
//!
//! The file is what the operator's books say: what it has a column for is taken over. It only adds cards, and it
//! keeps one membership per member up to date, leaving those that staff made alone.

mod file;
mod plan;
mod store;

pub use file::COLUMNS;

use super::model::{Proof, Replace};
use super::value::{DisplayName, Reason, Reference};
use super::{roster, roster_store};
use crate::domains::accounts::Email;
use crate::domains::organizations;
use crate::http::Result;
use crate::ids::{BranchId, OrganizationId};
use plan::Plan;
use serde::Serialize;
use sqlx::PgConnection;
use std::fmt;
use time::{Date, OffsetDateTime};

/// What the file says, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    errors: Vec<RowError>,
}

/// What the file says of one member.
#[derive(Debug)]
struct Row {
    line: u64,
    reference: Reference,
    display_name: DisplayName,
    email: Replace<Email>,
    blocked: Replace<Reason>,
    membership: Option<Wanted>,
    cards: Vec<Proof>,
}

/// The membership that the file wants a member to have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    /// Sorted; none is everywhere.
    branches: Option<Vec<BranchId>>,
    valid_from: Date,
    valid_until: Option<Date>,
    frozen: Option<Reason>,
}

/// Something that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Of the file, from 1.
    pub line: u64,
    /// Empty if it is about the whole line.
    pub column: &'static str,
    pub message: String,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub rows: usize,
    pub created: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub cards_added: usize,
    /// Cards that staff have revoked; they stay so.
    pub cards_left_revoked: usize,
    /// Nothing was written if there are any.
    pub errors: Vec<RowError>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub stage: &'static str,
    pub done: usize,
    pub total: usize,
}

/// Members written by one round of statements.
const AT_ONCE: usize = 2_000;

/// Says what an import would do.
pub async fn try_import(
    db: &mut PgConnection,
    organization: OrganizationId,
    bytes: &[u8],
) -> Result<Report> {
    Ok(prepare(db, organization, bytes).await?.1)
}

/// Imports a file, unless something in it is wrong. Others wait with changes of members until the caller's
/// transaction ends.
pub async fn import(
    db: &mut PgConnection,
    organization: OrganizationId,
    bytes: &[u8],
    now: OffsetDateTime,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report> {
    roster_store::hold_alone(db, organization).await?;
    let (plan, report) = prepare(db, organization, bytes).await?;
    if report.errors.is_empty() {
        write(db, organization, &plan, now, progress).await?;
    }
    Ok(report)
}

async fn prepare(
    db: &mut PgConnection,
    organization: OrganizationId,
    bytes: &[u8],
) -> Result<(Plan, Report)> {
    let branches = store::branch_names(db, organization).await?;
    let Rows { rows, mut errors } = file::read(bytes, &branches);
    let count = rows.len();
    let known = store::known(db, organization).await?;
    let key = organizations::credential_key(db, organization).await?;
    let plan = Plan::of(rows, &known, &key, &mut errors);
    errors.sort_by_key(|error| error.line);
    let report = Report {
        rows: count,
        created: plan.new_members.len(),
        changed: plan.changed,
        unchanged: plan.unchanged,
        cards_added: plan.cards.len(),
        cards_left_revoked: plan.cards_left_revoked,
        errors,
    };
    Ok((plan, report))
}

/// Rows first, then branches: their counters stay locked for the rest of the transaction.
async fn write(
    db: &mut PgConnection,
    organization: OrganizationId,
    plan: &Plan,
    now: OffsetDateTime,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<()> {
    for some in plan.new_members.chunks(AT_ONCE) {
        store::insert_members(db, organization, some, now).await?;
    }
    for some in plan.changed_members.chunks(AT_ONCE) {
        store::update_members(db, some, now).await?;
    }
    for some in plan.memberships.chunks(AT_ONCE) {
        store::put_memberships(db, some, now).await?;
    }
    for some in plan.cards.chunks(AT_ONCE) {
        store::insert_cards(db, organization, some, now).await?;
    }
    let total = plan.touched.len();
    for (some, done) in plan.touched.chunks(AT_ONCE).zip((AT_ONCE..).step_by(AT_ONCE)) {
        roster::tell_members(db, organization, some).await?;
        progress(Progress { stage: "members", done: done.min(total), total });
    }
    let cards: Vec<_> = plan.cards.iter().map(|card| card.id).collect();
    for (some, done) in cards.chunks(AT_ONCE).zip((AT_ONCE..).step_by(AT_ONCE)) {
        roster::tell_credentials(db, organization, some).await?;
        progress(Progress { stage: "cards", done: done.min(cards.len()), total: cards.len() });
    }
    Ok(())
}

impl RowError {
    fn new(line: u64, column: &'static str, message: String) -> Self {
        Self { line, column, message }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message } = self;
        if column.is_empty() {
            write!(f, "line {line}: {message}")
        } else {
            write!(f, "line {line}, {column}: {message}")
        }
    }
}
