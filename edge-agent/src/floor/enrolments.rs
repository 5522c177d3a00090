//! Cards that staff want to give out: the next one that is presented at a reader becomes the member's.

use super::request::{Asker, FloorRefusal, Reply};
use protocol::ids::{DeviceId, MemberId};
use std::collections::HashMap;

/// A card is awaited so long.
const PATIENCE_MS: u64 = 60_000;

/// By reader. Bounded by the readers of the branch.
#[derive(Default)]
pub struct Enrolments(HashMap<DeviceId, Awaited>);

/// Who waits for a card.
pub struct Awaited {
    pub member: MemberId,
    pub by: Asker,
    pub reply: Reply,
    until_mono_ms: u64,
}

impl Enrolments {
    /// Waits for a card at a reader, unless somebody does.
    pub fn wait(
        &mut self,
        reader: DeviceId,
        (member, by, reply): (MemberId, Asker, Reply),
        mono_ms: u64,
    ) {
        self.pass(mono_ms);
        if self.0.contains_key(&reader) {
            let _ = reply.send(Err(FloorRefusal::ReaderBusy));
            return;
        }
        let until_mono_ms = mono_ms + PATIENCE_MS;
        self.0.insert(reader, Awaited { member, by, reply, until_mono_ms });
    }

    /// Who waits for a card at a reader; they wait no more.
    pub fn take(&mut self, reader: DeviceId, mono_ms: u64) -> Option<Awaited> {
        self.pass(mono_ms);
        self.0.remove(&reader)
    }

    /// Waits no more at a reader.
    pub fn cancel(&mut self, reader: DeviceId) {
        if let Some(awaited) = self.0.remove(&reader) {
            let _ = awaited.reply.send(Err(FloorRefusal::NoCard));
        }
    }

    /// Ends what has lasted too long, and what nobody is interested in any more.
    pub fn pass(&mut self, mono_ms: u64) {
        let over = |awaited: &Awaited| mono_ms > awaited.until_mono_ms || awaited.reply.is_closed();
        let readers: Vec<_> =
            self.0.iter().filter(|(_, awaited)| over(awaited)).map(|(id, _)| *id).collect();
        for reader in readers {
            self.cancel(reader);
        }
    }
}
