//! The answer to `InListPassiveTarget`: which cards are in the field.

use crate::serial::tag::Target;

/// A card that the chip has selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The chip's number for it, 1 or 2.
    pub number: u8,
    /// How it introduced itself.
    pub target: Target,
}

/// The cards in an answer (without its code); `None` if that makes no sense.
pub fn parse(answer: &[u8]) -> Option<Vec<Listed>> {
    let (&count, mut rest) = answer.split_first()?;
    let mut listed = Vec::new();
    for _ in 0..count {
        let (&[number, high, low, sak, length], after) = rest.split_first_chunk()?;
        let (uid, after) = after.split_at_checked(length.into())?;
        let target = Target { atqa: [high, low], sak, uid: uid.to_vec() };
        rest = after;
        if target.speaks_apdus() && !rest.is_empty() {
            // The first byte of an answer to select counts itself.
            let length = usize::from(rest[0]).max(1);
            rest = rest.split_at_checked(length)?.1;
        }
        if !matches!(uid.len(), 4 | 7 | 10) {
            return None;
        }
        listed.push(Listed { number, target });
    }
    rest.is_empty().then_some(listed)
}
