use super::*;
use crate::journal::{BatchLimits, Journal, JournalConfig};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use protocol::ids::Code;
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, DeviceKind, Notice};
use protocol::time::Stamp;
use tempfile::TempDir;

const NOW_MS: i64 = 1_795_000_000_000;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("backup.tar.zst")
    }

    async fn open(&self) -> (Registry, Journal) {
        private_folder(&self.state()).unwrap();
        let clock = Clock::manual(Stamp { boot: 1, mono_ms: 1, wall_ms: NOW_MS, synced: true });
        let registry = Registry::open(&self.state(), &clock).await.unwrap().registry;
        let (journal, _) = Journal::open(JournalConfig::new(self.state()), clock).unwrap();
        (registry, journal)
    }

    async fn add_door(&self, registry: &Registry) {
        let code: Code = "door".parse().unwrap();
        let new = registry.prepare_device(DeviceKind::Reader, code).unwrap();
        registry.keep(&new).await.unwrap();
    }
}

async fn note(journal: &Journal, detail: &str) {
    let mut committed = journal.committed();
    committed.mark_unchanged();
    let notice = Notice { code: "test".to_owned(), detail: detail.to_owned() };
    journal.note(Body::Notice(notice)).await.unwrap();
    committed.changed().await.unwrap();
}

async fn unsent(journal: &Journal) -> Batch {
    journal.read_batch(BatchLimits::default()).await.unwrap().unwrap()
}

fn restore_to(place: &Place, file: &Path, replace: bool) -> Result<Contents> {
    private_folder(&place.state()).unwrap();
    restore(&place.state(), file, None, replace, NOW_MS)
}

#[tokio::test]
async fn a_backup_of_a_running_agent_goes_on_elsewhere_with_numbers_of_its_own() {
    let (one, other) = (Place::new(), Place::new());
    let (registry, journal) = one.open().await;
    one.add_door(&registry).await;
    note(&journal, "before").await;

    backup(&one.state(), &one.file(), None, NOW_MS).unwrap();
    note(&journal, "after").await;
    restore_to(&other, &one.file(), false).unwrap();
    let (registry, restored) = other.open().await;
    note(&restored, "elsewhere").await;

    let (first, again) = (unsent(&journal).await, unsent(&restored).await);
    assert!(registry.by_code("door").is_some());
    assert_eq!((first.epoch, first.last_seq), (again.epoch, 2));
    assert_eq!(again.last_seq, 1, "what came after the backup is not in it");
    assert_ne!(restored.committed().borrow().epoch, first.epoch);
}

#[tokio::test]
async fn a_folder_in_use_is_refused_or_set_aside_whole() {
    let place = Place::new();
    let (registry, journal) = place.open().await;
    note(&journal, "kept").await;
    backup(&place.state(), &place.file(), None, NOW_MS).unwrap();
    place.add_door(&registry).await;
    journal.close().await;
    drop(registry);

    let refused = restore_to(&place, &place.file(), false).unwrap_err();
    restore_to(&place, &place.file(), true).unwrap();

    assert!(refused.to_string().contains("--replace"), "{refused}");
    let aside = place.state().join(format!("replaced-{NOW_MS}"));
    assert!(aside.join("branch.db").exists() && aside.join("journal.db").exists());
    let (registry, _journal) = place.open().await;
    assert!(registry.by_code("door").is_none());
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() {
    let (one, other) = (Place::new(), Place::new());
    let (_registry, journal) = one.open().await;
    note(&journal, "kept").await;
    backup(&one.state(), &one.file(), None, NOW_MS).unwrap();
    let whole = fs::read(one.file()).unwrap();

    for length in [0, 10, whole.len() / 2, whole.len() - 40] {
        fs::write(one.file(), &whole[..length]).unwrap();
        assert!(restore_to(&other, &one.file(), false).is_err(), "{length}");
    }

    assert_eq!(fs::read_dir(other.state()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_interrupted_restore_is_finished_at_the_next_start() {
    let (one, other) = (Place::new(), Place::new());
    let (_registry, _journal) = one.open().await;
    let coming = other.state().join(".restoring");
    private_folder(&coming).unwrap();
    fs::create_dir(coming.join("ca")).unwrap();
    for name in ["branch.db", "ca/root.pem"] {
        fs::write(coming.join(name), "new").unwrap();
    }
    for name in ["branch.db", "branch.db-wal", "journal.db"] {
        fs::write(other.state().join(name), "old").unwrap();
    }
    let before = fs::read_dir(other.state()).unwrap().count();
    finish(&other.state()).unwrap();
    let unchecked = fs::read_dir(other.state()).unwrap().count();
    fs::write(coming.join("checked"), "replaced-1").unwrap();

    finish(&other.state()).unwrap();
    finish(&other.state()).unwrap();

    assert_eq!(before, unchecked, "what was not checked is not used");
    let read = |name: &str| fs::read_to_string(other.state().join(name)).ok();
    assert_eq!(read("branch.db").as_deref(), Some("new"));
    assert_eq!(read("ca/root.pem").as_deref(), Some("new"));
    assert_eq!((read("branch.db-wal"), read("journal.db")), (None, None));
    assert_eq!(read("replaced-1/branch.db-wal").as_deref(), Some("old"));
    assert!(!coming.exists());
}

#[tokio::test]
async fn a_sealed_backup_opens_with_its_passphrase_only() {
    let (one, other) = (Place::new(), Place::new());
    let (_registry, _journal) = one.open().await;
    let [right, wrong] = ["correct horse", "battery"].map(|text| Passphrase::new(text.to_owned()));
    backup(&one.state(), &one.file(), Some(&right), NOW_MS).unwrap();
    private_folder(&other.state()).unwrap();
    let restored = |passphrase| restore(&other.state(), &one.file(), passphrase, false, NOW_MS);

    let [without, by_wrong] =
        [None, Some(&wrong)].map(|given| format!("{:#}", restored(given).unwrap_err()));

    assert!(without.contains("--passphrase-file"), "{without}");
    assert!(by_wrong.contains("passphrase is wrong"), "{by_wrong}");
    restored(Some(&right)).unwrap();
    assert!(other.state().join("branch.db").exists());
}

#[test]
fn a_backup_cannot_write_outside_the_folder() {
    let (one, other) = (Place::new(), Place::new());
    for name in ["../outside", "/tmp/outside", "identity/../../outside", "", "releases/current"] {
        let contents = Contents {
            format: FORMAT,
            agent: "0.1.0".to_owned(),
            made_ms: 0,
            databases: Databases { journal: 0, branch: 0 },
            files: vec![Kept { name: name.to_owned(), size: 0, sha256: String::new() }],
        };
        let list = serde_json::to_vec(&contents).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        append(&mut tar, CONTENTS, list.len() as u64, list.as_slice()).unwrap();
        let packed = zstd::encode_all(tar.into_inner().unwrap().as_slice(), 1).unwrap();
        fs::write(one.file(), packed).unwrap();

        let refused = format!("{:#}", restore_to(&other, &one.file(), false).unwrap_err());

        assert!(refused.contains("it names a file"), "{refused}");
    }
}
