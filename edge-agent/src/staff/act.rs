//! Doing something for somebody: through the floor, or audited beside it; and what comes back, in words.

use super::accounts::Caller;
use super::app::Staff;
use super::reply::Refusal;
use crate::floor::{Asker, FloorAnswer, FloorRefusal, FloorRequest, audit};
use protocol::sync::staff::Act;

const MAX_SUBJECT_CHARS: usize = 300;

/// Who asks, as the journal knows them.
pub fn asker(caller: &Caller) -> Asker {
    Asker::Staff { id: caller.staff, name: caller.name.clone() }
}

/// Asks the floor.
pub async fn ask(
    staff: &Staff,
    caller: &Caller,
    request: FloorRequest,
) -> Result<FloorAnswer, Refusal> {
    let answer = staff.floor.ask(asker(caller), request).await;
    answer.map_err(|refused| Refusal::invalid(words(&refused)).at(field(&refused)))
}

/// Journals what somebody did that does not go through the floor, e.g. `device_secret` of `bike-1`.
pub async fn journal(
    staff: &Staff,
    caller: &Caller,
    what: &str,
    subject: &str,
) -> Result<(), Refusal> {
    journal_as(staff, asker(caller), what, subject).await
}

/// The same for somebody who is not signed in.
pub async fn journal_as(
    staff: &Staff,
    by: Asker,
    what: &str,
    subject: &str,
) -> Result<(), Refusal> {
    let subject = subject.chars().take(MAX_SUBJECT_CHARS).collect();
    let act = Act::Other { what: what.to_owned(), subject };
    Ok(staff.actions.journaled(audit(&by, act, None)).await?)
}

/// The field of a form that it is about.
fn field(refused: &FloorRefusal) -> &'static str {
    match refused {
        FloorRefusal::Text(name) => name,
        FloorRefusal::NotConnected | FloorRefusal::ReaderBusy => "reader",
        _ => "",
    }
}

/// Why something was not done.
pub fn words(refused: &FloorRefusal) -> String {
    let text = match refused {
        FloorRefusal::Access(reason) => {
            return format!(
                "The member may not come in: {}.",
                super::taps::refusal(reason.as_str())
            );
        }
        other => other.to_string(),
    };
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
