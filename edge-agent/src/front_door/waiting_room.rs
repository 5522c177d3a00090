//! Connections that have not logged in yet. They have a bound of their own, in all and per address, and when it is
//! reached the oldest is closed: whoever only holds a place cannot keep others from logging in.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The places before the login.
#[derive(Debug, Clone)]
pub struct WaitingRoom {
    places: Arc<Mutex<Places>>,
    max: usize,
    max_per_address: usize,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    taken: VecDeque<(u64, IpAddr, CancellationToken)>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    room: WaitingRoom,
    id: u64,
    evicted: CancellationToken,
}

impl WaitingRoom {
    pub fn new(max: usize, max_per_address: usize) -> Self {
        let (max, max_per_address) = (max.max(1), max_per_address.max(1));
        Self { places: Arc::default(), max, max_per_address }
    }

    /// Takes a place, from the one who has waited longest if there is no other.
    pub fn enter(&self, address: IpAddr) -> Place {
        let evicted = CancellationToken::new();
        let mut places = self.lock();
        let same = |place: &(u64, IpAddr, CancellationToken)| place.1 == address;
        if places.taken.iter().filter(|place| same(place)).count() >= self.max_per_address {
            let oldest = places.taken.iter().position(same);
            evict(&mut places, oldest);
        }
        if places.taken.len() >= self.max {
            evict(&mut places, Some(0));
        }
        let id = places.next;
        places.next += 1;
        places.taken.push_back((id, address, evicted.clone()));
        drop(places);
        Place { room: self.clone(), id, evicted }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evict(places: &mut Places, position: Option<usize>) {
    if let Some((_, _, token)) = position.and_then(|position| places.taken.remove(position)) {
        token.cancel();
    }
}

impl Place {
    /// Waits until somebody else needs the place.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().taken.retain(|(id, _, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 66));
    const GOOD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn one_address_evicts_only_its_own() {
        let room = WaitingRoom::new(10, 2);
        let good = room.enter(GOOD);

        let bad: Vec<_> = (0..5).map(|_| room.enter(BAD)).collect();

        let evicted: Vec<_> = bad.iter().map(|place| place.evicted.is_cancelled()).collect();
        assert_eq!(evicted, [true, true, true, false, false]);
        assert!(!good.evicted.is_cancelled());
    }

    #[test]
    fn a_full_room_evicts_the_oldest() {
        let room = WaitingRoom::new(2, 2);
        let first = room.enter(BAD);
        let second = room.enter(GOOD);

        let third = room.enter(GOOD);

        assert!(first.evicted.is_cancelled());
        assert!(!second.evicted.is_cancelled() && !third.evicted.is_cancelled());
    }

    #[test]
    fn who_leaves_makes_room() {
        let room = WaitingRoom::new(1, 1);
        drop(room.enter(BAD));

        let next = room.enter(GOOD);

        assert!(!next.evicted.is_cancelled());
        assert_eq!(room.lock().taken.len(), 1);
    }
}
