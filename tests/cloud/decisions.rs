//! Decisions about taps, as edges made them: stored once, with their tap, for readers of the branch only.

use crate::edge::{Scene, event, events, stamp};
use anyhow::Result;
use protocol::ids::{CredentialId, DeviceId, MemberId, TapId};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::sync::entry::{Body, Decision, Event, Source};
use protocol::time::Stamp;
use uuid::Uuid;

fn decision(reader: DeviceId, tap: u128) -> Decision {
    Decision {
        tap_id: TapId(Uuid::from_u128(tap)),
        reader,
        member: Some(MemberId(Uuid::from_u128(20))),
        credential: Some(CredentialId(Uuid::from_u128(21))),
        card: Some([0x22; 32]),
        sun_counter: Some(61),
        outcome: DecisionOutcome::Granted,
        action: DecisionAction::None,
        reason: "granted".to_owned(),
        time_uncertain: false,
    }
}

fn own(stamp: Stamp, decision: Decision) -> Event {
    Event { stamp, source: Source::Edge, body: Body::Decision(decision) }
}

const SET_ASIDE: &str = "SELECT count(*) FROM set_aside";

#[tokio::test]
async fn a_decision_is_stored_with_all_it_says() -> Result<()> {
    let scene = Scene::open().await?;
    let batch = events(1, 1, vec![own(stamp(1_000), decision(scene.machine.into(), 1))]);

    scene.send(&batch).await?;
    scene.send(&batch).await?;

    let whole = "SELECT count(*) FROM decisions
        WHERE outcome = 'granted' AND action = 'none' AND reason = 'granted' AND sun_counter = 61
          AND octet_length(card) = 32 AND NOT time_uncertain AND is_dated
          AND member_id IS NOT NULL AND credential_id IS NOT NULL";
    assert_eq!(scene.count(whole).await?, 1);
    assert_eq!(scene.count(SET_ASIDE).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_second_decision_about_a_tap_is_set_aside() -> Result<()> {
    let scene = Scene::open().await?;
    let first = own(stamp(1_000), decision(scene.machine.into(), 1));
    let second = own(stamp(2_000), decision(scene.machine.into(), 1));

    scene.send(&events(1, 1, vec![first, second])).await?;

    assert_eq!(scene.count("SELECT count(*) FROM decisions").await?, 1);
    assert_eq!(scene.count("SELECT count(*) FROM set_aside WHERE reason = 'repeat'").await?, 1);
    Ok(())
}

#[tokio::test]
async fn nobody_decides_at_the_doors_of_others() -> Result<()> {
    let scene = Scene::open().await?;
    let elsewhere = own(stamp(1_000), decision(DeviceId(Uuid::from_u128(404)), 1));
    let device = Body::Decision(decision(scene.machine.into(), 2));
    let by_a_device = event(scene.machine, 2_000, device);

    scene.send(&events(1, 1, vec![elsewhere, by_a_device])).await?;

    assert_eq!(scene.count("SELECT count(*) FROM decisions").await?, 0);
    let reasons = "SELECT count(DISTINCT reason) FROM set_aside
        WHERE reason IN ('foreign_device', 'wrong_source')";
    assert_eq!(scene.count(reasons).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_decision_of_an_edge_in_1970_is_dated_late() -> Result<()> {
    let scene = Scene::open().await?;
    let lost = Stamp { wall_ms: 0, synced: false, ..stamp(1_000) };
    let early = own(lost, decision(scene.machine.into(), 1));
    scene.send(&events(1, 1, vec![early])).await?;
    let undated = "SELECT count(*) FROM decisions WHERE NOT is_dated";
    assert_eq!(scene.count(undated).await?, 1);

    scene.send(&events(1, 2, vec![own(stamp(5_000), decision(scene.machine.into(), 2))])).await?;
    cloud_api::jobs::run_due_jobs(&scene.api.app).await?;

    assert_eq!(scene.count(undated).await?, 0);
    Ok(())
}
