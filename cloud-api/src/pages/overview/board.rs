//! The cards of all branches of an organization, made once for all who look, at most once a second. Nothing is made while
//! nobody looks.

use super::card::{Card, Machines, Now};
use crate::app::App;
use crate::domains::edges::Health;
use crate::domains::{branches, edges, floor, machines};
use crate::http::Result;
use crate::http::auth::Scope;
use crate::ids::{BranchId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Cards by organization.
#[derive(Debug, Default)]
pub struct Board(Lock<HashMap<OrganizationId, Arc<Mutex<Option<Hung>>>>>);

#[derive(Debug)]
struct Hung {
    not_before: Instant,
    cards: Arc<Vec<Arc<Card>>>,
}

/// Not more often than this.
const EVERY: Duration = Duration::from_millis(900);
/// With very many branches less often, so that at most this part of the time goes into it.
const PART: u32 = 20;

impl Board {
    /// The branches of an organization by name. Who comes while they are made waits for the same.
    pub async fn cards(&self, app: &App, of: OrganizationId) -> Result<Arc<Vec<Arc<Card>>>> {
        let place = Arc::clone(
            self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default(),
        );
        let mut hung = place.lock().await;
        let started = Instant::now();
        if let Some(hung) = hung.as_ref().filter(|hung| started < hung.not_before) {
            return Ok(Arc::clone(&hung.cards));
        }
        let known = hung.as_ref().map(|hung| Arc::clone(&hung.cards));
        let cards = make(app, of, known.as_deref().map_or(&[], Vec::as_slice)).await?;
        let pause = EVERY.max(started.elapsed() * PART);
        let cards = Arc::new(cards);
        *hung = Some(Hung { not_before: started + pause, cards: Arc::clone(&cards) });
        Ok(cards)
    }
}

/// Cards that show what they showed are not made anew.
async fn make(app: &App, of: OrganizationId, known: &[Arc<Card>]) -> Result<Vec<Arc<Card>>> {
    let scope = Scope::Organization(of);
    let mut db = app.db.acquire().await?;
    let all = branches::all_in_force(&mut db, scope).await?;
    let inside = floor::inside_by_branch(&mut db, scope).await?;
    let health = edges::health(app, &mut db, scope, None).await?;
    let machines = machines::now(app, &mut db, scope, None).await?;
    drop(db);
    let mut health: HashMap<BranchId, Health> =
        health.into_iter().map(|one| (one.branch, one)).collect();
    let mut counts: HashMap<BranchId, Machines> = HashMap::new();
    for machine in &machines {
        counts.entry(machine.machine.branch_id).or_default().add(machine.availability);
    }
    let known: HashMap<BranchId, &Arc<Card>> =
        known.iter().map(|card| (card.now.id, card)).collect();
    let cards = all.into_iter().map(|(branch, settings)| {
        let id = branch.id;
        let now = Now::of(app, branch, &settings, health.remove(&id).as_ref());
        let now = Now {
            inside: inside.get(&id).copied().unwrap_or(0),
            machines: counts.remove(&id).unwrap_or_default(),
            ..now
        };
        match known.get(&id).filter(|card| card.now == now) {
            Some(card) => Arc::clone(card),
            None => Arc::new(Card::new(now)),
        }
    });
    Ok(cards.collect())
}
