//! The cable between a running board and its host, with what was planned to happen to it.

use super::line::{Arrival, Fault, FaultyLine};
use tokio::time::Instant;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the board.
    ToHost,
    /// From the host.
    ToBoard,
}

/// Both ways.
#[derive(Debug, Default)]
pub(super) struct Cable {
    to_host: Way,
    to_board: Way,
}

#[derive(Debug, Default)]
struct Way {
    line: FaultyLine,
    held: Vec<u8>,
    stalled_until: Option<Instant>,
}

impl Cable {
    /// Plans a fault for when so many bytes more have passed.
    pub(super) fn plan(&mut self, direction: Direction, after: u64, fault: Fault) {
        self.way(direction).line.plan(after, fault);
    }

    /// Bytes enter at one end; says which come out at the other by now, and what happens that bytes cannot show.
    pub(super) fn pass(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        now: Instant,
    ) -> (Vec<u8>, Vec<Fault>) {
        let way = self.way(direction);
        let (mut arrived, mut happened) = (Vec::new(), Vec::new());
        for arrival in way.line.pass(bytes) {
            match arrival {
                Arrival::Bytes(bytes) => way.held.extend(bytes),
                Arrival::Event(Fault::Stall(time)) => {
                    arrived.extend(way.released(now));
                    way.stalled_until = Some(now + time);
                }
                Arrival::Event(fault) => happened.push(fault),
            }
        }
        arrived.extend(way.released(now));
        (arrived, happened)
    }

    /// Faults that have not happened yet.
    pub(super) fn ahead(&self) -> usize {
        self.to_host.line.ahead() + self.to_board.line.ahead()
    }

    /// When a stall ends.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        [&self.to_host, &self.to_board].into_iter().filter_map(|way| way.stalled_until).min()
    }

    /// It was pulled out: what was in it is lost.
    pub(super) fn empty(&mut self) {
        for way in [&mut self.to_host, &mut self.to_board] {
            way.held.clear();
            way.stalled_until = None;
        }
    }

    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::ToHost => &mut self.to_host,
            Direction::ToBoard => &mut self.to_board,
        }
    }
}

impl Way {
    fn released(&mut self, now: Instant) -> Vec<u8> {
        if self.stalled_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.stalled_until = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stall_holds_what_comes_after_it_and_loses_nothing() {
        let mut cable = Cable::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        cable.plan(Direction::ToHost, 2, Fault::Stall(Duration::from_secs(1)));

        assert_eq!(cable.pass(Direction::ToHost, &[1, 2, 3], now).0, [1, 2]);
        assert_eq!(cable.wake_at(), Some(later));
        assert_eq!(cable.pass(Direction::ToBoard, &[9], now).0, [9]);
        assert_eq!(cable.pass(Direction::ToHost, &[4], later).0, [3, 4]);
        assert_eq!(cable.wake_at(), None);
    }
}
