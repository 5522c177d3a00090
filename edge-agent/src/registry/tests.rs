//! The registry as others see it.

use super::identity::Enrolment;
use super::*;
use protocol::ids::{BranchId, EdgeId, OrganizationId};
use protocol::sync::changes::{Change, Changes, CloudKey, DeviceRecord};
use protocol::sync::enroll::{EnrollAnswer, EnrollKey};
use protocol::sync::entry::{Body, DeviceSecret};
use protocol::time::Stamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const BRANCH: BranchId = BranchId(Uuid::from_u128(1));
const NOW: Stamp = Stamp { boot: 1, mono_ms: 1, wall_ms: 1_795_000_000_000, synced: true };

fn record(number: u128, code: &str) -> DeviceRecord {
    DeviceRecord {
        id: DeviceId(Uuid::from_u128(number)),
        code: code.parse().unwrap(),
        kind: DeviceKind::Machine,
        name: code.to_uppercase(),
        secret_sha256: Some([1; 32]),
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    }
}

fn device(number: u128, code: &str) -> Change {
    Change::Device(record(number, code))
}

fn snapshot(to: u64, more: bool, changes: Vec<Change>) -> Changes {
    Changes { branch: BRANCH, from: 0, to, reset: true, more, changes }
}

fn delta(from: u64, to: u64, more: bool, changes: Vec<Change>) -> Changes {
    Changes { branch: BRANCH, from, to, reset: false, more, changes }
}

fn codes(registry: &Registry) -> Vec<String> {
    registry.all().iter().map(|device| device.code.to_string()).collect()
}

async fn added(registry: &Registry, code: &str) -> local::NewCredential {
    let new = registry.prepare_device(DeviceKind::Reader, code.parse().unwrap()).unwrap();
    registry.keep(&new).await.unwrap();
    new
}

fn sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

async fn open(folder: &Path) -> Opened {
    Registry::open(folder, &Clock::manual(NOW)).await.unwrap()
}

fn enrolment(key: &ed25519_dalek::SigningKey, branch_id: BranchId) -> Enrolment {
    Enrolment {
        cloud_url: "https://cloud.example".to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        answer: EnrollAnswer {
            edge_id: EdgeId(Uuid::from_u128(5)),
            organization_id: OrganizationId(Uuid::from_u128(6)),
            branch_id,
            branch_name: "Nordend".to_owned(),
            site_no: 7,
            cloud_keys: vec![EnrollKey { key_id: 1, public: hex::encode([1; 32]) }],
            credential_key: hex::encode([5; 32]),
            now_ms: 0,
        },
    }
}

#[tokio::test]
async fn changes_are_seen_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path()).await.registry;
    let zone = Change::Setting { key: "time_zone".into(), value: "\"Europe/Berlin\"".into() };
    registry.apply(snapshot(4, false, vec![device(1, "bike-1"), zone])).await.unwrap();
    registry.apply(delta(4, 5, false, vec![device(2, "bike-2")])).await.unwrap();
    let removed = Change::DeviceRemoved(DeviceId(Uuid::from_u128(1)));
    registry.apply(delta(5, 6, false, vec![removed])).await.unwrap();

    let reopened = open(folder.path()).await.registry;

    assert_eq!(codes(&registry), ["bike-2"]);
    assert_eq!(codes(&reopened), ["bike-2"]);
    assert_eq!(reopened.ask_from().await.unwrap(), 6);
    assert_eq!(
        reopened.setting("time_zone").as_deref().map(String::as_str),
        Some("\"Europe/Berlin\"")
    );
}

#[tokio::test]
async fn a_snapshot_counts_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path()).await.registry;
    registry.apply(snapshot(4, false, vec![device(1, "old")])).await.unwrap();

    registry.apply(snapshot(8, true, vec![device(2, "new-1")])).await.unwrap();
    let in_the_middle = codes(&registry);
    let reopened = open(folder.path()).await.registry;
    let after_a_power_cut = (codes(&reopened), reopened.ask_from().await.unwrap());
    reopened.apply(delta(8, 9, false, vec![device(3, "new-2")])).await.unwrap();

    assert_eq!(in_the_middle, ["old"]);
    assert_eq!(after_a_power_cut, (vec!["old".to_owned()], 8));
    assert_eq!(codes(&reopened), ["new-1", "new-2"]);
    assert_eq!(reopened.ask_from().await.unwrap(), 9);
}

#[tokio::test]
async fn changes_that_do_not_follow_are_refused() {
    let registry = Registry::in_memory().await.unwrap();
    registry.apply(snapshot(4, false, vec![])).await.unwrap();

    let refused = registry.apply(delta(7, 8, false, vec![device(1, "bike-1")])).await;

    assert!(refused.is_err());
    assert!(registry.all().is_empty());
}

#[tokio::test]
async fn a_roster_of_50_000_is_applied_page_by_page() {
    let registry = Registry::in_memory().await.unwrap();
    let member = |number: u128| Change::Roster {
        kind: 1,
        id: Uuid::from_u128(number).into_bytes(),
        item: vec![7; 40],
    };
    let page = |page: u128| (page * 10_000..(page + 1) * 10_000).map(member).collect();
    registry.apply(snapshot(1, true, page(0))).await.unwrap();
    registry.apply(delta(1, 2, true, page(1))).await.unwrap();
    registry.apply(delta(2, 3, true, page(2))).await.unwrap();
    registry.apply(delta(3, 4, true, page(3))).await.unwrap();

    registry.apply(delta(4, 5, false, page(4))).await.unwrap();

    let count = |db: &mut rusqlite::Connection| {
        db.query_row("SELECT count(*) FROM roster", [], |row| row.get::<_, u32>(0))
    };
    assert_eq!(registry.0.store.call(count).await.unwrap(), 50_000);
    assert_eq!(registry.ask_from().await.unwrap(), 5);
}

#[tokio::test]
async fn a_proposed_device_logs_in_until_the_cloud_has_its_say() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path()).await.registry;
    let new = added(&registry, "door").await;
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();
    let proposed = registry.by_code("door").unwrap();

    let mut adopted = record(0, "door");
    adopted.id = proposed.id;
    adopted.secret_sha256 = proposed.secret_sha256;
    adopted.name = "Front door".to_owned();
    registry.apply(delta(4, 5, false, vec![Change::Device(adopted.clone())])).await.unwrap();
    let named = registry.by_code("door").unwrap().name.clone();
    registry.apply(delta(5, 6, false, vec![Change::DeviceRemoved(adopted.id)])).await.unwrap();

    assert_eq!(proposed.secret_sha256, Some(sha256(&new.secret)));
    assert_eq!(named, "Front door");
    assert_eq!(registry.by_code("door"), None);
}

#[tokio::test]
async fn a_code_is_given_once() {
    let registry = Registry::in_memory().await.unwrap();
    added(&registry, "door").await;

    let again = registry.prepare_device(DeviceKind::Machine, "door".parse().unwrap());

    assert!(again.is_err());
}

#[tokio::test]
async fn a_revocation_holds_until_the_cloud_gives_a_new_secret() {
    let registry = Registry::in_memory().await.unwrap();
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();
    let mut changed = registry.changed();
    changed.mark_unchanged();

    registry.revoke("bike-1").await.unwrap();
    assert!(changed.has_changed().unwrap());
    registry.apply(snapshot(5, false, vec![device(1, "bike-1")])).await.unwrap();
    let told_the_same = registry.by_code("bike-1").unwrap().enabled;
    let renewed = DeviceRecord { secret_sha256: Some([2; 32]), ..record(1, "bike-1") };
    registry.apply(delta(5, 6, false, vec![Change::Device(renewed)])).await.unwrap();

    assert!(!told_the_same);
    assert!(registry.by_code("bike-1").unwrap().enabled);
}

#[tokio::test]
async fn a_new_secret_made_at_the_branch_counts_at_once() {
    let registry = Registry::in_memory().await.unwrap();
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();

    let new = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&new).await.unwrap();

    let device = registry.by_code("bike-1").unwrap();
    let secret_sha256 = Some(sha256(&new.secret));
    assert_eq!(device.secret_sha256, secret_sha256);
    let told = DeviceSecret { id: device.id, former_sha256: Some([1; 32]), secret_sha256 };
    assert_eq!(new.told, Body::DeviceSecret(told));
}

#[tokio::test]
async fn of_secrets_that_follow_each_other_quickly_only_the_last_counts_whatever_the_cloud_has_heard()
 {
    let registry = Registry::in_memory().await.unwrap();
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();
    let first = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&first).await.unwrap();
    registry.revoke("bike-1").await.unwrap();
    let last = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&last).await.unwrap();
    let counts = || {
        let device = registry.by_code("bike-1").unwrap();
        (device.secret_sha256, device.enabled)
    };
    let mut seen = vec![counts()];

    // What the cloud makes of the three, told one after the other.
    let heard =
        [(Some(sha256(&first.secret)), true), (None, false), (Some(sha256(&last.secret)), true)];
    for (version, (secret_sha256, enabled)) in (5..).zip(heard) {
        let told = DeviceRecord { secret_sha256, enabled, ..record(1, "bike-1") };
        let told = delta(version - 1, version, false, vec![Change::Device(told)]);
        registry.apply(told).await.unwrap();
        seen.push(counts());
    }
    let own = DeviceRecord { secret_sha256: Some([9; 32]), ..record(1, "bike-1") };
    registry.apply(delta(7, 8, false, vec![Change::Device(own)])).await.unwrap();

    assert_eq!(seen, [(Some(sha256(&last.secret)), true); 4]);
    assert_eq!(counts(), (Some([9; 32]), true), "the cloud has the last word");
}

#[tokio::test]
async fn a_restart_between_two_new_secrets_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || open(folder.path()).await.registry;
    let registry = open().await;
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();
    let first = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&first).await.unwrap();
    drop(registry);

    let registry = open().await;
    let last = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&last).await.unwrap();
    drop(registry);
    let registry = open().await;
    let heard = Some(sha256(&first.secret));
    let heard = DeviceRecord { secret_sha256: heard, ..record(1, "bike-1") };
    registry.apply(delta(4, 5, false, vec![Change::Device(heard)])).await.unwrap();

    assert_eq!(registry.by_code("bike-1").unwrap().secret_sha256, Some(sha256(&last.secret)));
}

#[tokio::test]
async fn a_new_secret_ends_a_revocation_that_the_cloud_took_over() {
    let registry = Registry::in_memory().await.unwrap();
    let revoked = DeviceRecord { secret_sha256: None, enabled: false, ..record(1, "bike-1") };
    registry.apply(snapshot(4, false, vec![Change::Device(revoked)])).await.unwrap();
    let before = registry.by_code("bike-1").unwrap().enabled;

    let new = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&new).await.unwrap();

    assert!(!before);
    assert!(registry.by_code("bike-1").unwrap().enabled);
}

#[tokio::test]
async fn a_new_secret_does_not_let_in_what_the_cloud_switched_off() {
    let registry = Registry::in_memory().await.unwrap();
    let switched_off = DeviceRecord { enabled: false, ..record(1, "bike-1") };
    registry.apply(snapshot(4, false, vec![Change::Device(switched_off)])).await.unwrap();

    let new = registry.prepare_secret("bike-1").await.unwrap();
    registry.keep(&new).await.unwrap();

    assert!(!registry.by_code("bike-1").unwrap().enabled);
}

#[tokio::test]
async fn bridges_know_what_is_assigned_to_them() {
    let registry = Registry::in_memory().await.unwrap();
    let bridge = DeviceId(Uuid::from_u128(9));
    let bridged = DeviceRecord { bridge: Some(bridge), ..record(1, "bike-1") };

    let changes = vec![Change::Device(bridged), device(2, "bike-2")];
    registry.apply(snapshot(4, false, changes)).await.unwrap();

    let assigned = registry.assigned_to(bridge);
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].code.as_str(), "bike-1");
}

#[tokio::test]
async fn broken_files_are_set_aside_and_the_registry_opens() {
    for content in
        [b"".as_slice(), &[0; 8_192], b"not a database at all, but long enough to be one?"]
    {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).await.registry.apply(snapshot(4, false, vec![])).await.unwrap();
        std::fs::write(folder.path().join("branch.db"), content).unwrap();

        let opened = open(folder.path()).await;

        opened.registry.apply(snapshot(5, false, vec![device(1, "bike-1")])).await.unwrap();
        assert_eq!(codes(&opened.registry), ["bike-1"]);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_agent_is_set_aside_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("branch.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);

    let opened = open(folder.path()).await;

    assert_eq!(opened.notices.len(), 1);
    assert!(opened.notices[0].detail.contains("newer agent"));
    let aside = |name: &str| name.starts_with("branch.db.set-aside");
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert!(names.flatten().any(|entry| aside(&entry.file_name().to_string_lossy())));
}

#[tokio::test]
async fn the_floor_of_time_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let late = 9_000_000_000_000;
    open(folder.path()).await.registry.keep_time(Some(late), None).await.unwrap();

    let clock = Clock::manual(Stamp { wall_ms: 0, synced: false, ..NOW });
    Registry::open(folder.path(), &clock).await.unwrap();

    assert_eq!(clock.latest_ms(), late);
}

#[tokio::test]
async fn keys_of_the_cloud_rotate_and_outlive_a_lost_database() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path()).await.registry;
    let key = registry.draw_key().unwrap();
    registry.enrol(key.clone(), enrolment(&key, BRANCH)).await.unwrap();
    let second = CloudKey { key_id: 2, public: [2; 32] };
    let rotation = vec![Change::CloudKey(second), Change::CloudKeyRemoved(1)];
    registry.apply(snapshot(4, false, rotation)).await.unwrap();
    std::fs::remove_file(folder.path().join("branch.db")).unwrap();

    let reopened = open(folder.path()).await.registry;

    assert_eq!(reopened.enrolled().unwrap().enrolment.cloud_keys(), [second]);
    assert_eq!(reopened.credential_key(), [5; 32]);
    assert_eq!(reopened.ask_from().await.unwrap(), 0);
}

#[tokio::test]
async fn enrolled_for_another_branch_everything_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(folder.path()).await.registry;
    let key = registry.draw_key().unwrap();
    registry.enrol(key.clone(), enrolment(&key, BRANCH)).await.unwrap();
    registry.apply(snapshot(4, false, vec![device(1, "bike-1")])).await.unwrap();
    registry.enrol(key.clone(), enrolment(&key, BRANCH)).await.unwrap();
    let same_branch = codes(&registry);

    registry.enrol(key.clone(), enrolment(&key, BranchId(Uuid::from_u128(2)))).await.unwrap();

    assert_eq!(same_branch, ["bike-1"]);
    assert!(registry.all().is_empty());
    assert_eq!(registry.ask_from().await.unwrap(), 0);
}
