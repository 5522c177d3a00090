//! A card that staff await becomes a member's: the tap opens nothing, and its commit says whose card it is now.

use super::Proof;
use super::holder::Holder;
use super::judge::{Judge, Verdict};
use crate::floor::{Book, FloorAnswer, FloorRefusal, LocalCard, audit};
use crate::journal::NewTap;
use protocol::access::{Decision, Reason};
use protocol::ids::{CredentialId, MemberId};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::sync::roster::CredentialKind;
use protocol::sync::staff::Act;
use uuid::Uuid;

impl Judge {
    /// Gives the card to whom it is awaited for. Nothing if none is awaited at this reader, or this is no card.
    pub(super) fn enrol(
        &mut self,
        tap: &NewTap<'_>,
        holder: &Holder,
        book: &mut Book,
    ) -> Option<Verdict> {
        let uid_hash = holder.card?;
        let kind = match tap.proof {
            Proof::Card { .. } => CredentialKind::Sun { uid_hash },
            Proof::Number => CredentialKind::NfcUid { uid_hash },
            _ => return None,
        };
        let awaited = self.clerk.enrolments.take(tap.reader, tap.stamp.mono_ms)?;
        let given = give(holder, awaited.member, kind.clone(), book);
        let (answer, bodies) = match given {
            Ok((credential, is_repeat)) => {
                let act = Act::EnrolCard { member: awaited.member, credential, kind };
                let body = (!is_repeat).then(|| audit(&awaited.by, act, None));
                let credential = Some(credential);
                let answer = FloorAnswer { credential, is_repeat, ..FloorAnswer::default() };
                (Ok(answer), body.into_iter().collect())
            }
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        let is_given = answer.is_ok();
        Some(Verdict {
            made: made(is_given, self.access.clock.trusted().unix_ms().is_none()),
            reason: if is_given { "card_enrolled" } else { "card_taken" },
            opens_door: false,
            bodies,
            told: vec![Box::new(move || {
                // Who asked may have gone.
                let _ = awaited.reply.send(answer);
            })],
        })
    }
}

/// The card's id, and whether it was theirs already.
fn give(
    holder: &Holder,
    member: MemberId,
    kind: CredentialKind,
    book: &mut Book,
) -> Result<(CredentialId, bool), FloorRefusal> {
    match (&holder.member, holder.credential) {
        (Some(owner), Some(credential)) if owner.id == member && holder.is_enabled => {
            return Ok((credential, true));
        }
        (Some(_), _) if holder.is_enabled => return Err(FloorRefusal::CardTaken),
        _ => {}
    }
    if !book.local.has_room() {
        return Err(FloorRefusal::TooManyChanges);
    }
    let credential = CredentialId(Uuid::new_v4());
    book.change().1.enrol(credential, LocalCard { member, kind });
    Ok((credential, false))
}

fn made(is_given: bool, time_uncertain: bool) -> Decision {
    let (outcome, display) = if is_given {
        (DecisionOutcome::Granted, "This card is ready")
    } else {
        (DecisionOutcome::Denied, "This card belongs to somebody else")
    };
    Decision {
        outcome,
        // What is told and journaled has its own word; this one says nothing about the member.
        reason: Reason::Stale,
        action: DecisionAction::None,
        display: display.to_owned(),
        time_uncertain,
        warnings: Vec::new(),
    }
}
