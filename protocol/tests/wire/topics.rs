//! The closed list of topics.

use crate::strategies as any_of;
use proptest::prelude::*;
use protocol::ids::Code;
use protocol::mqtt::{Role, Topic};

fn code() -> Code {
    "row-7".parse().unwrap()
}

fn listed() -> Vec<Topic> {
    Role::ALL.into_iter().flat_map(|role| Topic::all_of(role, &code())).collect()
}

#[test]
fn every_topic_reads_back() {
    let texts: Vec<String> = listed().iter().map(Topic::to_string).collect();

    let read: Option<Vec<Topic>> = texts.iter().map(|text| Topic::parse(text)).collect();

    assert_eq!(read, Some(listed()));
    assert_eq!(listed().len(), 21);
}

#[test]
fn directions_are_as_listed() {
    let names = |wanted: fn(&Topic) -> bool| -> Vec<String> {
        let topics = listed().into_iter().filter(wanted);
        topics.map(|topic| format!("{}/{}", topic.role().folder(), topic.leaf())).collect()
    };

    assert_eq!(
        names(Topic::is_outbound),
        [
            "machines/link",
            "machines/commands",
            "machines/errors",
            "readers/challenge",
            "readers/decision",
            "readers/commands",
            "readers/errors",
            "bridges/commands",
            "bridges/errors"
        ]
    );
    assert_eq!(
        names(Topic::is_inbound),
        [
            "machines/telemetry",
            "machines/set",
            "machines/status",
            "machines/maintenance",
            "machines/ftms",
            "machines/csafe",
            "machines/results",
            "readers/status",
            "readers/tap",
            "readers/challenge",
            "readers/results",
            "bridges/status",
            "bridges/results"
        ]
    );
    assert_eq!(
        names(Topic::is_retained),
        ["machines/status", "machines/link", "readers/status", "bridges/status"]
    );
}

#[test]
fn what_is_not_listed_is_no_topic() {
    let refused = |topic: &str| assert_eq!(Topic::parse(topic), None, "{topic}");
    refused("");
    refused("gymwire/v1/machines/row-7");
    refused("gymwire/v1/machines/row-7/");
    refused("gymwire/v1/machines/row-7/tap");
    refused("gymwire/v1/machines/row-7/telemetry/x");
    refused("gymwire/v1/machines//telemetry");
    refused("gymwire/v1/machines/+/telemetry");
    refused("gymwire/v1/machines/#");
    refused("gymwire/v1/machines/Row-7/telemetry");
    refused("gymwire/v2/machines/row-7/telemetry");
    refused("/gymwire/v1/machines/row-7/telemetry");
    refused("$share/a/gymwire/v1/machines/row-7/telemetry");
    refused("gymwire/v1/observers/row-7/status");
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn any_code_reads_back(code in any_of::code()) {
        let topic = Topic::Commands(Role::Bridge, code);
        prop_assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
    }
}
