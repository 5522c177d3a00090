//! Folds what is new. One transaction at a time per organization, so that a member's stays in two branches are never
//! worked out twice at once.

use super::outcome::Outcome;
use super::{notices, requests, rows, store, take_over};
use crate::app::App;
use crate::clock::at_ms;
use crate::domains::workouts;
use crate::ids::{BranchId, OrganizationId};
use protocol::rules::{Fact, Rules, State};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Facts folded in one transaction.
const AT_ONCE: i64 = 20_000;
/// Facts are on their way for a moment: what falls due by itself is only said after it.
const ON_THEIR_WAY_MS: i64 = 5_000;
/// A stretch that is folded anew is no longer than this, in milliseconds.
const LONGEST_MS: i64 = 7 * 86_400_000;

/// Folds every fact of an organization that is not folded yet, and lets the time pass there.
pub async fn settle(app: &App, organization: OrganizationId) -> anyhow::Result<()> {
    // First: branches believe the roster again as soon as what their staff did is here.
    take_over::take_over(app, organization).await?;
    while settle_some(app, organization).await? {}
    Ok(())
}

/// Whether there may be more.
async fn settle_some(app: &App, organization: OrganizationId) -> anyhow::Result<bool> {
    let until_ms = app.clock.now_ms() - ON_THEIR_WAY_MS;
    let mut tx = app.db.begin().await?;
    store::lock(&mut tx, organization).await?;
    let new = store::new_facts(&mut tx, organization, AT_ONCE).await?;
    let mut branches: BTreeSet<BranchId> = new.iter().map(|fact| fact.branch.into()).collect();
    branches.extend(store::due(&mut tx, organization, until_ms).await?);
    if branches.is_empty() {
        return Ok(false);
    }
    branches.extend(store::also_concerned(&mut tx, &new).await?);
    let rules = store::rules(&mut tx, organization).await?;
    let state = store::state(&mut tx, &branches).await?;
    let is_full = i64::try_from(new.len())? == AT_ONCE;
    let is_late = new.iter().any(|fact| fact.key.at_ms < state.now_ms());
    let folded = if is_late {
        anew(app, &mut tx, &rules, branches, &new, until_ms).await?
    } else {
        go_on(&rules, branches, state, new, until_ms)
    };
    let before = notices::before(&mut tx, &folded.outcome, &folded.branches).await?;
    if let Some(from_ms) = folded.anew_from_ms {
        rows::forget_since(&mut tx, &folded.branches, from_ms).await?;
    }
    rows::write(&mut tx, &folded.branches, &folded.outcome, &folded.state).await?;
    workouts::mark_folded(&mut tx, &changed(&folded.outcome), app.clock.now()).await?;
    rows::sum_up_again(&mut tx, &folded.outcome, &folded.branches, folded.anew_from_ms).await?;
    let Folded { branches, state, outcome, .. } = &folded;
    notices::tell(&mut tx, &before, outcome, branches, state, app.clock.now()).await?;
    store::keep(&mut tx, &rules, &folded.branches, &folded.state).await?;
    store::folded(&mut tx, &folded.facts).await?;
    for (session, stay) in folded.outcome.moved() {
        requests::end_stay(&mut tx, session, stay, &app.clock).await?;
    }
    tx.commit().await?;
    Ok(is_full)
}

/// What workouts are made of.
fn changed(outcome: &Outcome) -> workouts::Folded {
    let stays = outcome.stays.iter().map(|(id, stay)| (id.0, stay.member.into()));
    let links = outcome.links.iter();
    let links = links.map(|(id, lent)| (id.0, lent.machine.into(), at_ms(lent.since_ms)));
    workouts::Folded {
        stays: stays.collect(),
        links: links.collect(),
        sets: outcome.sets.keys().map(|id| id.0).collect(),
    }
}

/// What folding came to, and for which branches.
struct Folded {
    /// Those that are not new among them were folded before.
    facts: Vec<Fact>,
    branches: BTreeSet<BranchId>,
    state: State,
    outcome: Outcome,
    /// From which moment on what was folded before counts no more.
    anew_from_ms: Option<i64>,
}

fn go_on(
    rules: &Rules,
    branches: BTreeSet<BranchId>,
    mut state: State,
    facts: Vec<Fact>,
    until_ms: i64,
) -> Folded {
    let mut outcome = Outcome::default();
    for fact in &facts {
        outcome.take_in(state.step(rules, fact));
    }
    outcome.take_in(state.advance(rules, until_ms.max(state.now_ms())));
    Folded { facts, branches, state, outcome, anew_from_ms: None }
}

/// From the last moment before the earliest new fact at which nobody was inside; where there was none for long, with those
/// who were inside then.
async fn anew(
    app: &App,
    db: &mut PgConnection,
    rules: &Rules,
    branches: BTreeSet<BranchId>,
    new: &[Fact],
    until_ms: i64,
) -> anyhow::Result<Folded> {
    let earliest_ms = new.iter().map(|fact| fact.key.at_ms).min().unwrap_or(until_ms);
    let mut branches = branches;
    let mut from_ms = earliest_ms;
    loop {
        let quiet_ms = rows::quiet_before(db, &branches, from_ms).await?;
        let quiet_ms = quiet_ms.max(earliest_ms - LONGEST_MS);
        let closed = store::sharing_members(db, &branches, quiet_ms).await?;
        if quiet_ms == from_ms && closed == branches {
            break;
        }
        (from_ms, branches) = (quiet_ms, closed);
    }
    metrics::counter!("sessions_folded_anew_total").increment(1);
    workouts::mark_since(db, &store::ids(&branches), at_ms(from_ms), app.clock.now()).await?;
    let mut state = State::default();
    for fact in store::conditions(db, &branches, from_ms).await? {
        state.step(rules, &fact);
    }
    state.advance(rules, from_ms);
    let (stays, links) = rows::spanning(db, &branches, from_ms).await?;
    for (branch, stay) in stays {
        state.adopt_session(rules, branch, stay);
    }
    for (branch, machine, link) in links {
        state.adopt_link(branch, machine, link);
    }
    let facts = store::facts_since(db, &branches, from_ms).await?;
    let folded = go_on(rules, branches, state, facts, until_ms);
    Ok(Folded { anew_from_ms: Some(from_ms), ..folded })
}
