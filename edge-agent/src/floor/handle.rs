//! The handle for whoever shows the floor or wants something there: the staff page, the uplink.

use super::orders::Orders;
use super::picture::Picture;
use super::request::{Asker, FloorAnswer, FloorRefusal, FloorRequest, Petition};
use super::view::FloorView;
use crate::access::Access;
use crate::front_door::Publisher;
use crate::journal::Journal;
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::uplink::board::Board;
use protocol::ids::DeviceId;
use std::sync::Arc;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

/// Handle to the floor; clones share it.
#[derive(Clone)]
pub struct Floor(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub access: Access,
    pub registry: Registry,
    pub journal: Journal,
    pub clock: Clock,
    pub board: Board,
    pub orders: Orders,
    pub pictures: watch::Receiver<Arc<Picture>>,
    pub view: watch::Sender<Arc<FloorView>>,
}

/// What the floor needs of the rest of the agent.
pub struct Parts {
    /// Decides about taps.
    pub access: Access,
    /// Devices and members.
    pub registry: Registry,
    /// Where everything is kept.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
    /// What devices say.
    pub board: Board,
    /// Tells devices what to do.
    pub publisher: Publisher,
}

impl Floor {
    /// Over a journal whose taps are decided.
    pub fn new(parts: Parts) -> Self {
        let Parts { access, registry, journal, clock, board, publisher } = parts;
        let pictures = access.pictures();
        let orders = Orders::new(registry.clone(), publisher);
        let view = watch::Sender::default();
        Self(Arc::new(Inner { access, registry, journal, clock, board, orders, pictures, view }))
    }

    /// The present picture; changes at most ten times a second, or fifty if more than measurements changed.
    pub fn watch(&self) -> watch::Receiver<Arc<FloorView>> {
        self.0.view.subscribe()
    }

    /// The floor as it is on disk at this very moment: who has just done something must find it done.
    pub fn look(&self) -> FloorView {
        let picture = Arc::clone(&self.0.pictures.borrow());
        FloorView::of(&self.0, &picture)
    }

    /// Journals what somebody asks for, if the rules allow it; returns when it is on disk (and, where a device has to
    /// do something, when it has done it).
    pub async fn ask(&self, by: Asker, request: FloorRequest) -> Result<FloorAnswer, FloorRefusal> {
        self.ask_as(by, request, None).await
    }

    /// The same; what begins gets this id.
    pub async fn ask_as(
        &self,
        by: Asker,
        request: FloorRequest,
        id: Option<Uuid>,
    ) -> Result<FloorAnswer, FloorRefusal> {
        let order = order_of(&request);
        if let Some((device, _)) = order {
            self.0.orders.hears(device)?;
        }
        let (reply, answer) = oneshot::channel();
        let petition = Petition { by, request, id, reply };
        self.0.journal.ask(petition).await.map_err(|_| FloorRefusal::Stopping)?;
        let answer = answer.await.map_err(|_| FloorRefusal::Stopping)??;
        if let Some((device, command)) = order {
            self.0.orders.give(device, command).await?;
        }
        Ok(answer)
    }
}

/// What a device has to do for a request.
fn order_of(request: &FloorRequest) -> Option<(DeviceId, &'static str)> {
    match request {
        FloorRequest::OpenDoor { reader, .. } => Some((*reader, "open")),
        FloorRequest::LockMachine { machine, .. } => Some((*machine, "lock")),
        FloorRequest::UnlockMachine { machine } => Some((*machine, "unlock")),
        _ => None,
    }
}
