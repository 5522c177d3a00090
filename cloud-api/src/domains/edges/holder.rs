//! Which start of the agent holds the edge's key (docs/adr/0005): the pure rule.
//!
//! A restart looks like a second edge at first: an unknown start asks for a token. It gets it. Only if the
//! start that it replaced is heard again are there two; then the first goes on and the second is refused
//! for as long as the first is heard.

use time::{Duration, OffsetDateTime};

/// What is known of a start of the agent that does not hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Nothing.
    Unknown,
    /// It held the key until another took over.
    Former,
    /// It was found to be a second edge.
    Rival,
}

/// What a start of the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A token.
    Token,
    /// Anything else, with a token it has.
    Call,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds the key now; the former holder is noted.
    TakesOver,
    /// It holds the key again; the present holder is a second edge, and staff are told.
    Reinstated,
    /// It may be a message that the former holder sent before it died: to be sent again.
    Later,
    /// It is the second edge.
    Conflict,
    /// Its token is too old to mean anything.
    TokenVoid,
}

/// The present holder.
#[derive(Debug, Clone, Copy)]
pub struct Holder {
    pub since: Option<OffsetDateTime>,
    pub last_contact_at: Option<OffsetDateTime>,
}

/// How long it takes to believe something.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A holder that was not heard for this long has gone.
    pub silence: Duration,
    /// Messages of a former holder may arrive late by this much.
    pub handover: Duration,
}

/// Judges a start of the agent that is not the holder.
pub fn judge(
    run: Run,
    ask: Ask,
    holder: Holder,
    patience: Patience,
    now: OffsetDateTime,
) -> Verdict {
    let is_silent = holder.last_contact_at.is_none_or(|at| now - at >= patience.silence);
    let is_handover = holder.since.is_some_and(|since| now - since < patience.handover);
    match (run, ask) {
        (Run::Unknown, Ask::Token) => Verdict::TakesOver,
        (Run::Unknown, Ask::Call) => Verdict::TokenVoid,
        (Run::Former, _) if is_handover => Verdict::Later,
        (Run::Former, _) => Verdict::Reinstated,
        (Run::Rival, Ask::Token) if is_silent => Verdict::TakesOver,
        (Run::Rival, _) => Verdict::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);
    const PATIENCE: Patience =
        Patience { silence: Duration::seconds(15), handover: Duration::seconds(2) };

    fn judged(run: Run, ask: Ask, held_s: i64, silent_s: i64) -> Verdict {
        let holder = Holder {
            since: Some(NOW - Duration::seconds(held_s)),
            last_contact_at: Some(NOW - Duration::seconds(silent_s)),
        };
        judge(run, ask, holder, PATIENCE, NOW)
    }

    #[test]
    fn a_restarted_agent_is_not_kept_waiting() {
        assert_eq!(judged(Run::Unknown, Ask::Token, 3600, 0), Verdict::TakesOver);
    }

    #[test]
    fn a_message_that_outlived_its_sender_proves_nothing() {
        assert_eq!(judged(Run::Former, Ask::Call, 1, 0), Verdict::Later);
    }

    #[test]
    fn a_holder_that_is_heard_after_it_was_replaced_gets_its_place_back() {
        assert_eq!(judged(Run::Former, Ask::Call, 2, 0), Verdict::Reinstated);
        assert_eq!(judged(Run::Former, Ask::Token, 2, 0), Verdict::Reinstated);
    }

    #[test]
    fn the_second_edge_is_refused_while_the_first_is_heard() {
        assert_eq!(judged(Run::Rival, Ask::Token, 60, 14), Verdict::Conflict);
        assert_eq!(judged(Run::Rival, Ask::Call, 60, 14), Verdict::Conflict);
    }

    #[test]
    fn the_second_edge_goes_on_when_the_first_has_gone() {
        assert_eq!(judged(Run::Rival, Ask::Token, 60, 15), Verdict::TakesOver);
    }
}
