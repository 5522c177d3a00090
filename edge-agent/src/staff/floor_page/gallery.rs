//! Pieces of the floor as they are told, made once for all who listen; only those whose content changed are made anew.

use super::pieces::{self, Counts, Inside};
use crate::floor::{FloorView, MachineView};
use crate::staff::app::Staff;
use askama::Template;
use page_kit::told::Piece;
use std::sync::{Arc, Mutex, PoisonError};

/// The pieces of the last picture: for who may see names, and for who may not.
#[derive(Default)]
pub struct Gallery([Mutex<Option<Hung>>; 2]);

struct Hung {
    seen: Arc<FloorView>,
    lines: Vec<Vec<f64>>,
    pieces: Arc<Vec<Piece>>,
}

/// The pieces that come before the machines.
const BEFORE_MACHINES: usize = 2;

impl Gallery {
    /// All pieces of a picture.
    pub fn of(&self, staff: &Staff, may_name: bool, seen: &Arc<FloorView>) -> Arc<Vec<Piece>> {
        let mut hung = self.0[usize::from(may_name)].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hung) = hung.as_ref().filter(|hung| Arc::ptr_eq(&hung.seen, seen)) {
            return Arc::clone(&hung.pieces);
        }
        let lines = pieces::lines(staff, seen);
        let counts = Counts { is_update: true, ..Counts::of(seen) };
        let inside = Inside { is_update: true, ..Inside::of(staff, may_name, seen) };
        let mut made = vec![piece("counts", &counts), piece("inside", &inside)];
        let machines = seen.machines.iter().zip(&lines).enumerate();
        made.extend(machines.map(|(place, (machine, line))| {
            let known = hung.as_ref().and_then(|hung| hung.piece(place, machine, line));
            known.unwrap_or_else(|| {
                let mut tile = pieces::tile(machine, line, may_name);
                tile.is_update = true;
                piece(&machine.code, &tile)
            })
        }));
        let pieces = Arc::new(made);
        *hung = Some(Hung { seen: Arc::clone(seen), lines, pieces: Arc::clone(&pieces) });
        pieces
    }
}

impl Hung {
    /// The piece at this place, if it shows just this.
    fn piece(&self, place: usize, machine: &MachineView, line: &[f64]) -> Option<Piece> {
        let is_same = self.seen.machines.get(place) == Some(machine)
            && self.lines.get(place).is_some_and(|known| known == line);
        is_same.then(|| self.pieces.get(BEFORE_MACHINES + place).cloned()).flatten()
    }
}

fn piece(name: &str, shown: &impl Template) -> Piece {
    let html = shown.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a piece of the floor cannot be made");
        String::new()
    });
    Piece { name: name.into(), html: html.into() }
}
