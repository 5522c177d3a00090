//! Device × topic × verb: what the closed list allows works, everything else is refused with its reason.

use crate::door::{Door, OBSERVED, OBSERVED_STATUS};
use protocol::ids::Code;
use protocol::mqtt::topics::{Role, Topic};

const BRANCH: [(&str, Role); 5] = [
    ("bike", Role::Machine),
    ("rack", Role::Machine),
    ("door", Role::Reader),
    ("gate", Role::Reader),
    ("box", Role::Bridge),
];

/// Leaves that devices publish, and that they subscribe, by the contract.
const IN: [&str; 10] = [
    "telemetry",
    "set",
    "status",
    "maintenance",
    "ftms",
    "csafe",
    "results",
    "tap",
    "challenge",
    "results",
];
const OUT: [&str; 5] = ["link", "commands", "challenge", "decision", "errors"];

/// Everything that exists, in all folders, right and wrong, and what does not exist.
fn topics() -> Vec<String> {
    let mut topics = Vec::new();
    for (code, _) in BRANCH {
        for role in Role::ALL {
            let code: Code = code.parse().unwrap();
            topics.extend(Topic::all_of(role, &code).iter().map(Topic::to_string));
        }
    }
    topics.extend(
        [
            "#",
            "+/#",
            "$SYS/broker/uptime",
            "$SYS/#",
            "$share/all/gymwire/v1/machines/bike/telemetry",
            "$share/all/#",
            "gymwire/v1/#",
            "gymwire/v1/machines/#",
            "gymwire/v1/machines/bike",
            "gymwire/v1/machines/bike/#",
            "gymwire/v1/machines/bike/+",
            "gymwire/v1/machines/+/status",
            "gymwire/v1/machines/+/telemetry",
            "gymwire/v1/machines/nobody/telemetry",
            "gymwire/v1/machines/bike/unknown",
            "gymwire/v1/machines/bike/telemetry/more",
            "gymwire/v1//bike/telemetry",
            "/gymwire/v1/machines/bike/telemetry",
            "gymwire/v2/machines/bike/telemetry",
            "gymwire/v1/machines/BIKE/telemetry",
            "machines/bike/telemetry",
            "",
        ]
        .map(str::to_owned),
    );
    topics
}

/// Whether `me` may speak and listen for the device of this topic.
fn is_mine(me: &str, topic: &str) -> bool {
    let levels: Vec<_> = topic.split('/').collect();
    let ["gymwire", "v1", folder, code, _] = levels[..] else { return false };
    let is_behind = me == "box" && ["rack", "door"].contains(&code);
    let is_right_folder =
        BRANCH.iter().any(|(known, role)| *known == code && role.folder() == folder);
    (code == me || is_behind) && is_right_folder
}

fn may_publish(me: &str, topic: &str) -> bool {
    is_mine(me, topic) && IN.contains(&topic.rsplit('/').next().unwrap())
}

fn may_subscribe(me: &str, topic: &str) -> bool {
    if me == "screen" {
        let is_sample = |code| topic == format!("gymwire/v1/machines/{code}/telemetry");
        let is_listed = topic == OBSERVED || topic == OBSERVED_STATUS;
        return is_listed || is_sample("bike") || is_sample("rack");
    }
    is_mine(me, topic) && OUT.contains(&topic.rsplit('/').next().unwrap())
}

async fn published(door: &Door, me: &str, topics: &[String]) -> Vec<bool> {
    let mut client = door.v5(me).await;
    let mut all = Vec::new();
    for (id, topic) in (1..).zip(topics) {
        all.extend(client.publish_packet(0x32, id, topic, b"none of the payloads"));
    }
    client.send(&all).await;
    let mut answers = Vec::new();
    for id in (1_u16..).take(topics.len()) {
        let (first, body) = client.receive().await.expect("the connection ended");
        assert_eq!((first, &body[..2]), (0x40, &id.to_be_bytes()[..]), "acks in order");
        assert!(matches!(body[2], 0x99 | 0x87), "{me} {body:?}");
        answers.push(body[2] == 0x99);
    }
    answers
}

async fn subscribed(door: &Door, me: &str, topics: &[String]) -> Vec<bool> {
    let filters: Vec<_> = topics.iter().map(String::as_str).collect();
    let answers = door.v5(me).await.subscribe(&filters).await;
    let mut granted = Vec::new();
    for (answer, filter) in answers.iter().zip(filters) {
        assert!(matches!(answer, 1 | 0x87 | 0x9E), "{me} {filter} {answer:x}");
        granted.push(*answer == 1);
    }
    granted
}

#[tokio::test]
async fn every_device_can_do_what_is_listed_and_nothing_else() {
    let door = Door::open().await;
    let topics = topics();
    let wrong = |verb, me: &str, topic: &str, allowed| format!("{me} {verb} {topic}: {allowed}");

    let mut found = Vec::new();
    for me in ["bike", "rack", "door", "gate", "box", "screen"] {
        let publishes = published(&door, me, &topics).await;
        let subscribes = subscribed(&door, me, &topics).await;
        for ((topic, publish), subscribe) in topics.iter().zip(publishes).zip(subscribes) {
            if publish != may_publish(me, topic) {
                found.push(wrong("publishes", me, topic, publish));
            }
            if subscribe != may_subscribe(me, topic) {
                found.push(wrong("subscribes", me, topic, subscribe));
            }
        }
    }

    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn in_3_1_1_a_foreign_topic_ends_the_connection_and_a_foreign_filter_is_refused() {
    let door = Door::open().await;

    for topic in ["gymwire/v1/machines/rack/status", "gymwire/v1/machines/bike/link", "x", ""] {
        let mut bike = door.v311("bike").await;
        assert_eq!(bike.subscribe(&[topic, "#"]).await[1], 0x80);
        assert_eq!(bike.ask(1, topic, b"{}").await, None, "{topic}");
    }
}

#[tokio::test]
async fn nobody_hears_a_refused_message() {
    let door = Door::open().await;
    let mut screen = door.v5("screen").await;
    screen.subscribe(&[OBSERVED]).await;
    let mut bike = door.v5("bike").await;

    let sample = br#"{"seq":1,"boot":1,"power_w":100}"#;
    let foreign = bike.ask(1, "gymwire/v1/machines/rack/telemetry", sample).await;
    let own = bike.ask(2, "gymwire/v1/machines/bike/telemetry", sample).await;

    assert_eq!((foreign, own), (Some(0x87), Some(0)));
    assert_eq!(screen.message().await.1, "gymwire/v1/machines/bike/telemetry");
    let (events, samples) = door.stop_and_read().await;
    assert_eq!((events.len(), samples), (0, 1));
}
