//! What staff do to devices at the branch reaches the cloud: new secrets, revocations.

use crate::changes;
use crate::edge::{Scene, events, stamp};
use anyhow::{Context, Result};
use cloud_api::domains::devices::{self, Device};
use cloud_api::ids::DeviceId;
use protocol::sync::changes::{Change, DeviceRecord};
use protocol::sync::entry::{Body, DeviceSecret, Event, Source};

fn secret(id: DeviceId, former: Option<[u8; 32]>, new: Option<[u8; 32]>) -> Event {
    let change = DeviceSecret { id: id.into(), former_sha256: former, secret_sha256: new };
    Event { stamp: stamp(0), source: Source::Edge, body: Body::DeviceSecret(change) }
}

async fn bike(scene: &Scene) -> Result<Device> {
    let mut db = scene.api.app.db.acquire().await?;
    let code = "bike-01".parse()?;
    let bike = devices::by_code(&mut db, scene.gym.branch.id, &code).await?;
    bike.context("no such device")
}

async fn present(scene: &Scene) -> Result<Option<[u8; 32]>> {
    let sha256 = bike(scene).await?.secret_sha256;
    Ok(sha256.map(|sha256| sha256.as_slice().try_into()).transpose()?)
}

/// The device as the edge is told of it, and the version it is told with.
async fn told(scene: &Scene) -> Result<(DeviceRecord, u64)> {
    let changes = changes::ask(scene, 0, 0).await?;
    let device = changes.changes.into_iter().find_map(|change| match change {
        Change::Device(record) => Some(record),
        _ => None,
    });
    Ok((device.context("no device is told")?, changes.to))
}

#[tokio::test]
async fn a_secret_made_at_the_branch_is_taken_over_and_told_back() -> Result<()> {
    let scene = Scene::open().await?;
    let (former, before) = (present(&scene).await?, told(&scene).await?.1);
    let first = secret(scene.machine, former, Some([1; 32]));
    let second = secret(scene.machine, Some([1; 32]), Some([2; 32]));

    let answer = scene.send(&events(1, 1, vec![first, second])).await?;

    assert_eq!(answer.status, 200);
    assert_eq!(present(&scene).await?, Some([2; 32]));
    let (record, version) = told(&scene).await?;
    assert_eq!((record.secret_sha256, record.enabled), (Some([2; 32]), true));
    assert!(version > before);
    Ok(())
}

#[tokio::test]
async fn a_device_revoked_at_the_branch_is_locked_out_until_it_has_a_new_secret() -> Result<()> {
    let scene = Scene::open().await?;
    let former = present(&scene).await?;

    scene.send(&events(1, 1, vec![secret(scene.machine, former, None)])).await?;
    let revoked = told(&scene).await?.0;
    scene.send(&events(1, 2, vec![secret(scene.machine, None, Some([3; 32]))])).await?;
    let renewed = told(&scene).await?.0;

    assert_eq!((revoked.secret_sha256, revoked.enabled), (None, false));
    assert_eq!((renewed.secret_sha256, renewed.enabled), (Some([3; 32]), true));
    let notices = "SELECT count(*) FROM notices WHERE code = 'device_revoked'";
    assert_eq!(scene.count(notices).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_secret_changed_in_the_cloud_meanwhile_stays_and_staff_are_told() -> Result<()> {
    let scene = Scene::open().await?;
    let former = present(&scene).await?;
    let late = secret(scene.machine, Some([9; 32]), Some([1; 32]));

    let answer = scene.send(&events(1, 1, vec![late])).await?;

    assert_eq!(answer.status, 200);
    assert_eq!(present(&scene).await?, former);
    let notices = "SELECT count(*) FROM notices WHERE code = 'device_secret_kept'";
    assert_eq!(scene.count(notices).await?, 1);
    Ok(())
}

#[tokio::test]
async fn secrets_of_other_branches_are_out_of_reach_and_devices_cannot_change_theirs() -> Result<()>
{
    let scene = Scene::open().await?;
    let former = present(&scene).await?;
    let elsewhere = secret(DeviceId::new(), None, Some([1; 32]));
    let source = Source::Device(scene.machine.into());
    let by_itself = Event { source, ..secret(scene.machine, former, Some([1; 32])) };

    scene.send(&events(1, 1, vec![elsewhere, by_itself])).await?;

    assert_eq!(present(&scene).await?, former);
    let reasons =
        "SELECT count(*) FROM set_aside WHERE reason IN ('device_unknown', 'wrong_source')";
    assert_eq!(scene.count(reasons).await?, 2);
    Ok(())
}
