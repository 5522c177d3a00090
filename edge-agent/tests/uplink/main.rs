//! The uplink against a cloud in this process that behaves as agreed, or as badly as a test wants.

// Clippy takes these for tests only with the attribute.
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod http;
#[cfg(test)]
mod keys;

use cloud::{FakeCloud, Fault};
use edge::{Edge, lock};
use protocol::ids::CommandId;
use protocol::mqtt::payloads::CommandMessage;
use protocol::sync::changes::{Change, CloudKey};
use protocol::sync::entry::{Body, DeviceState, Outcome};
use rumqttc::{Event, Packet, QoS};
use uuid::Uuid;

#[tokio::test]
async fn what_is_journaled_arrives_once_and_in_order() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;

    for count in 1..=20 {
        edge.tell(&format!("{count}")).await;
    }

    cloud.until("20 notices", |seen| seen.notices().len() == 20).await;
    assert_eq!(
        cloud.look(cloud::Seen::notices),
        (1..=20).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    edge.drained().await;
}

#[tokio::test]
async fn samples_arrive_with_their_machine() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;

    let machine = edge.machine("bike-1").await;
    edge.samples(machine, 1..=100).await;

    cloud.until("100 samples", |seen| seen.samples.len() == 100).await;
    assert!(cloud.look(|seen| seen.samples.iter().all(|(from, _)| *from == machine)));
}

#[tokio::test]
async fn an_urgent_event_goes_ahead_of_the_samples_before_it() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::slow(&cloud).await;
    let machine = edge.machine("bike-1").await;

    edge.samples(machine, 1..=10).await;
    edge.tell("now").await;

    cloud.until("the notice", |seen| seen.notices() == ["now"]).await;
    assert!(cloud.look(|seen| seen.samples.is_empty()));
    // The last of them make it enough: none comes after, which would wait for the interval.
    edge.samples(machine, 11..=16_500).await;
    cloud.until("the samples", |seen| seen.samples.len() == 16_500).await;
    edge.drained().await;
    assert_eq!(cloud.look(cloud::Seen::notices), ["now"]);
}

#[tokio::test]
async fn a_cloud_that_knows_nothing_of_events_ahead_gets_batches() {
    let cloud = FakeCloud::start().await;
    cloud.grow_old();
    let edge = Edge::slow(&cloud).await;
    let machine = edge.machine("bike-1").await;

    edge.samples(machine, 1..=10).await;
    edge.tell("now").await;

    cloud.until("the notice", |seen| seen.notices() == ["now"]).await;
    edge.drained().await;
    assert_eq!(cloud.look(|seen| (seen.samples.len(), seen.ahead.len())), (10, 0));
}

#[tokio::test]
async fn samples_are_told_live_while_somebody_looks() {
    let cloud = FakeCloud::start().await;
    cloud.look_on();
    let edge = Edge::enrolled(&cloud).await;
    let machine = edge.machine("bike-1").await;
    cloud.until("a state", |seen| !seen.states.is_empty()).await;

    edge.samples(machine, 1..=1).await;
    edge.samples(machine, 2..=2).await;

    let is_told = |told: &protocol::sync::state::LiveState| {
        told.machines.iter().any(|told| told.device == machine && told.sample.is_some())
    };
    cloud.until("the sample", |seen| seen.states.iter().any(is_told)).await;
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing() {
    let cloud = FakeCloud::start().await;
    cloud.faults([Fault::LoseAnswer, Fault::LoseAnswer]);
    let edge = Edge::enrolled(&cloud).await;

    edge.tell("one").await;
    edge.tell("two").await;

    cloud.until("both notices", |seen| seen.notices().len() == 2).await;
    edge.drained().await;
    assert_eq!(cloud.look(cloud::Seen::notices), ["one", "two"]);
}

#[tokio::test]
async fn a_cloud_that_is_down_gets_everything_later() {
    let cloud = FakeCloud::start().await;
    cloud.faults([Fault::Unavailable, Fault::HangUp, Fault::Unavailable]);
    let edge = Edge::enrolled(&cloud).await;

    edge.tell("kept").await;

    cloud.until("the notice", |seen| seen.notices() == ["kept"]).await;
    edge.drained().await;
}

#[tokio::test]
async fn a_cloud_that_has_more_is_believed() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::new(&cloud).await;
    for count in 1..=5 {
        edge.tell(&format!("{count}")).await;
    }
    // As if this state folder were a day-old copy: the cloud has the first three already.
    cloud.pretend_acked(edge.epoch(), 3);

    edge.enrol().await;

    cloud.until("the rest", |seen| seen.notices() == ["4", "5"]).await;
    edge.drained().await;
}

#[tokio::test]
async fn a_cloud_that_lost_its_last_day_is_told_again_or_of_a_gap() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    edge.tell("one").await;
    edge.drained().await;
    cloud.forget_epochs();

    edge.tell("two").await;

    cloud.until("the second notice", |seen| seen.notices().contains(&"two".to_owned())).await;
    edge.drained().await;
    let is_told = |seen: &cloud::Seen| {
        seen.notices() == ["one", "one", "two"]
            || seen.events.iter().any(|(_, event)| matches!(event.body, Body::Gap(_)))
    };
    assert!(cloud.look(is_told));
}

#[tokio::test]
async fn data_that_the_cloud_cannot_read_yet_is_kept() {
    let cloud = FakeCloud::start().await;
    cloud.faults([Fault::Unsupported]);
    let edge = Edge::enrolled(&cloud).await;

    edge.tell("kept").await;

    let mut link = edge.link();
    link.wait_for(|link| link.has("unsupported_version")).await.unwrap();
    assert!(edge.journal.backlog_entries() > 0);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let cloud = FakeCloud::start().await;
    cloud.faults([Fault::TooLarge, Fault::TooLarge]);
    let edge = Edge::enrolled(&cloud).await;
    let machine = edge.machine("bike-1").await;

    edge.samples(machine, 1..=500).await;

    cloud.until("all samples", |seen| seen.samples.len() == 500).await;
}

#[tokio::test]
async fn two_agents_with_one_key_are_reported_and_the_second_is_quiet() {
    let cloud = FakeCloud::start().await;
    cloud.faults([Fault::Conflict]);
    let edge = Edge::enrolled(&cloud).await;

    edge.tell("kept").await;

    let mut link = edge.link();
    let told = link.wait_for(|link| link.has("edge_conflict")).await.unwrap().clone();
    assert!(told.problems.values().any(|problem| problem.detail.contains("another agent")));
    assert!(cloud.look(|seen| seen.notices().is_empty()));
    edge.until_backlog(2).await; // What it was told, and the notice for staff.
}

#[tokio::test]
async fn an_edge_in_1970_comes_up() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::in_1970(&cloud).await;

    edge.enrol().await;
    edge.tell("from the past").await;

    cloud.until("the notice", |seen| seen.notices() == ["from the past"]).await;
    assert!(cloud.look(|seen| seen.skews > 0));
    assert!(edge.clock.stamp().synced);
    assert!(edge.clock.wall_ms() > cloud::NOW_MS - 60_000);
}

#[tokio::test]
async fn a_token_that_is_void_is_replaced() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    edge.tell("one").await;
    edge.drained().await;

    cloud.void_tokens();
    edge.tell("two").await;

    cloud.until("both", |seen| seen.notices() == ["one", "two"]).await;
}

#[tokio::test]
async fn the_floor_is_told_whole_and_then_what_changes() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    let (bike, rower) = (edge.machine("bike-1").await, edge.machine("rower-1").await);
    edge.status(bike, DeviceState::Idle).await;
    cloud.until("a state", |seen| seen.shows(bike, DeviceState::Idle)).await;

    edge.status(rower, DeviceState::InUse).await;

    cloud.until("the rower", |seen| seen.shows(rower, DeviceState::InUse)).await;
    assert!(cloud.look(|seen| seen.states[0].full));
    let last =
        cloud.look(|seen| seen.states.iter().rfind(|state| !state.machines.is_empty()).cloned());
    let last = last.unwrap();
    assert!(!last.full && last.machines.len() == 1 && last.as_of.epoch == edge.epoch());
}

#[tokio::test]
async fn after_an_outage_the_floor_comes_before_the_backlog_and_whole() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    let bike = edge.machine("bike-1").await;
    edge.status(bike, DeviceState::Idle).await;
    cloud.until("a state", |seen| seen.shows(bike, DeviceState::Idle)).await;

    cloud.cut();
    edge.link().wait_for(|link| !link.online).await.unwrap();
    edge.status(bike, DeviceState::InUse).await;
    edge.samples(bike, 1..=20_000).await;
    let states = cloud.look(|seen| seen.states.len());
    cloud.heal();

    cloud.until("the floor", |seen| seen.shows(bike, DeviceState::InUse)).await;
    assert!(cloud.look(|seen| seen.states[states].full));
    cloud.until("the backlog", |seen| seen.samples.len() == 20_000).await;
}

#[tokio::test]
async fn signed_changes_are_applied_and_others_are_not() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    cloud.change(Change::Device(edge::record(1, "bike-1")));
    edge.knows("bike-1").await;

    cloud.sign_badly();
    cloud.change(Change::Device(edge::record(2, "bike-2")));

    cloud.until("the report of it", |seen| seen.has_notice("changes_unusable")).await;
    assert!(edge.registry.by_code("bike-2").is_none());
}

#[tokio::test]
async fn keys_of_the_cloud_rotate() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    let next = cloud.next_key();
    cloud.change(Change::CloudKey(CloudKey { key_id: 2, public: next }));
    cloud.change(Change::Device(edge::record(1, "bike-1")));
    edge.knows("bike-1").await;

    cloud.sign_with_next_key();
    cloud.change(Change::Device(edge::record(2, "bike-2")));

    edge.knows("bike-2").await;
}

#[tokio::test]
async fn commands_that_cannot_be_carried_out_are_answered() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    edge.machine("bike-1").await;

    cloud.command(lock(1, None, 10_000));
    cloud.command(lock(2, Some("no-such"), 10_000));
    // The bike is not connected, so the order waits for it until it is void.
    cloud.command(lock(3, Some("bike-1"), 0));

    cloud.until("three results", |seen| seen.results.len() == 3).await;
    let outcome =
        |seen: &cloud::Seen, number| seen.results[&CommandId(Uuid::from_u128(number))].outcome;
    assert_eq!(cloud.look(|seen| outcome(seen, 1)), Outcome::Unknown);
    assert_eq!(cloud.look(|seen| outcome(seen, 2)), Outcome::Unknown);
    assert_eq!(cloud.look(|seen| outcome(seen, 3)), Outcome::Expired);
}

#[tokio::test]
async fn a_command_reaches_its_device_and_the_answer_the_cloud() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    let (client, mut incoming) = edge.connect("bike-1").await;
    cloud.command(lock(1, Some("bike-1"), 10_000));

    let published = loop {
        if let Event::Incoming(Packet::Publish(publish)) = incoming.poll().await.unwrap() {
            break publish;
        }
    };
    let order: CommandMessage = serde_json::from_slice(&published.payload).unwrap();
    let answer = format!("{{\"id\":\"{}\",\"outcome\":\"done\"}}", order.id);
    let topic = "gymwire/v1/machines/bike-1/results";
    client.publish(topic, QoS::AtLeastOnce, false, answer).await.unwrap();

    let polling = async { while incoming.poll().await.is_ok() {} };
    let answered = cloud.until("the result", |seen| seen.results.contains_key(&order.id));
    tokio::select! { () = polling => {}, () = answered => {} }
    assert_eq!(cloud.look(|seen| seen.results[&order.id].outcome), Outcome::Done);
    assert_eq!((order.command.as_str(), published.retain), ("lock", false));
    assert!(order.ttl_ms <= 10_000);
}

#[tokio::test]
async fn a_wrong_code_is_said_so_and_changes_nothing() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::new(&cloud).await;

    let refused = edge.try_enrol("WRONG").await.unwrap_err();

    assert!(refused.to_string().contains("does not know this code"), "{refused}");
    assert!(edge.registry.enrolled().is_none());
}
