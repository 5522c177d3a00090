//! Pieces of a page that are told again when they change, and what a listener was told last.

use std::collections::HashMap;
use std::sync::Arc;

/// A piece as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Which one.
    pub name: Arc<str>,
    /// Its HTML, which finds its place by itself.
    pub html: Arc<str>,
}

/// What a listener was told last.
#[derive(Debug, Default)]
pub struct Told(HashMap<Arc<str>, Arc<str>>);

impl Told {
    /// The pieces that are not as they were told; `None` if all are.
    pub fn changed<'a>(&mut self, pieces: impl IntoIterator<Item = &'a Piece>) -> Option<String> {
        let mut told = String::new();
        for piece in pieces {
            let known = self.0.get(&piece.name);
            if known.is_some_and(|known| Arc::ptr_eq(known, &piece.html) || *known == piece.html) {
                continue;
            }
            told.push_str(&piece.html);
            self.0.insert(Arc::clone(&piece.name), Arc::clone(&piece.html));
        }
        Some(told).filter(|told| !told.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece_of(name: &str, html: &str) -> Piece {
        Piece { name: name.into(), html: html.into() }
    }

    #[test]
    fn a_listener_is_told_what_is_new_to_it_and_nothing_else() {
        let (bike, rower) = (piece_of("bike", "<li>free"), piece_of("rower", "<li>free"));
        let mut told = Told::default();

        assert_eq!(told.changed(&[bike.clone(), rower.clone()]).unwrap(), "<li>free<li>free");
        assert_eq!(told.changed(&[bike.clone(), piece_of("rower", "<li>free")]), None);
        assert_eq!(told.changed(&[bike, piece_of("rower", "<li>busy")]).unwrap(), "<li>busy");
    }
}
