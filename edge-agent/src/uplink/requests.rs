//! What apps and the cloud want of the branch itself: commands without a device become requests to the floor.

use crate::floor::{Asker, Floor, FloorAnswer, FloorRefusal, FloorRequest};
use protocol::ids::{DeviceId, LinkId, MemberId};
use protocol::sync::commands::{Command, CommandReport};
use protocol::sync::entry::Outcome;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

type Args = Map<String, Value>;

const REQUESTS: [&str; 8] =
    ["check_in", "check_out", "link", "unlink", "enqueue", "dequeue", "adopt", "out_of_order"];

/// Carries a request to the branch out; what came of it, as the cloud is told. Nothing, if the command is none.
pub(super) async fn carry_out(floor: Option<&Floor>, command: &Command) -> Option<CommandReport> {
    let floor = floor.filter(|_| REQUESTS.contains(&command.command.as_str()))?;
    let Some(request) = request(&command.command, &command.args) else {
        let detail = Some(json!({ "code": "invalid_args" }).to_string());
        return Some(CommandReport { outcome: Outcome::Failed, detail });
    };
    let by = asker(&command.args);
    let id: Option<Uuid> = argument(&command.args, "id");
    let (outcome, detail) = match floor.ask_as(by, request, id).await {
        Ok(answer) => (Outcome::Done, told(&answer)),
        Err(FloorRefusal::Stopping) => (Outcome::Failed, json!({ "code": "stopping" })),
        Err(refusal) => (Outcome::Failed, json!({ "code": refusal.code() })),
    };
    Some(CommandReport { outcome, detail: Some(detail.to_string()) })
}

/// Staff who act by way of the cloud have a name; the journal keeps it.
fn asker(args: &Args) -> Asker {
    let is_of_cloud = args.get("by").is_some_and(|by| by == "cloud");
    match argument::<String>(args, "name") {
        Some(name) => Asker::Staff { id: argument(args, "staff"), name },
        None if is_of_cloud => Asker::Cloud,
        None => Asker::App,
    }
}

/// Nothing, if this is no request or one of its arguments is missing.
fn request(command: &str, args: &Args) -> Option<FloorRequest> {
    let member = || argument::<MemberId>(args, "member");
    let machine = || argument::<DeviceId>(args, "machine");
    Some(match command {
        "check_in" => FloorRequest::CheckIn { member: member()? },
        "check_out" => {
            let sessions = argument(args, "ids").filter(|ids: &Vec<_>| !ids.is_empty());
            let sessions = sessions.or_else(|| argument(args, "id").map(|id| vec![id]))?;
            FloorRequest::EndSession { member: member()?, sessions }
        }
        "link" => FloorRequest::Link { member: member()?, machine: machine()? },
        "unlink" => {
            FloorRequest::EndLink { machine: machine()?, link: LinkId(argument(args, "id")?) }
        }
        "enqueue" => FloorRequest::Enqueue { member: member()?, machine: machine()? },
        "dequeue" => FloorRequest::Dequeue { member: member()?, machine: machine()? },
        "out_of_order" => FloorRequest::OutOfOrder {
            machine: machine()?,
            is_out: argument(args, "is_out")?,
            reason: argument(args, "reason"),
        },
        "adopt" => FloorRequest::Adopt {
            sessions: argument(args, "sessions")?,
            links: argument(args, "links")?,
        },
        _ => return None,
    })
}

fn argument<T: DeserializeOwned>(args: &Args, name: &str) -> Option<T> {
    serde_json::from_value(args.get(name)?.clone()).ok()
}

fn told(answer: &FloorAnswer) -> Value {
    json!({
        "session": answer.session,
        "link": answer.link,
        "is_repeat": answer.is_repeat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_what_it_needs_is_none() {
        let member = MemberId(Uuid::from_u128(1));
        let args = |value: Value| value.as_object().cloned().unwrap_or_default();

        let found = request("check_in", &args(json!({ "member": member })));
        let lacks = request("link", &args(json!({ "member": member })));
        let unknown = request("dance", &args(json!({ "member": member })));

        assert_eq!(found, Some(FloorRequest::CheckIn { member }));
        assert_eq!((lacks, unknown), (None, None));
    }
}
