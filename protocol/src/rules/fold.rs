//! Facts in any order, some of them twice, to one state.

use super::{Effect, Fact, Rules, State};

/// What facts come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// What holds in the end.
    pub state: State,
    /// What happened on the way, in order.
    pub effects: Vec<Effect>,
}

/// Folds facts by (corrected time, origin, number). The order in which they are given makes no difference, nor does a fact
/// that is given twice.
pub fn fold<'a>(rules: &Rules, facts: impl IntoIterator<Item = &'a Fact>) -> Folded {
    let mut ordered: Vec<&Fact> = facts.into_iter().collect();
    ordered.sort_by_key(|fact| fact.key);
    ordered.dedup_by_key(|fact| fact.key);
    let mut folded = Folded::default();
    for fact in ordered {
        folded.effects.extend(folded.state.step(rules, fact));
    }
    folded
}
