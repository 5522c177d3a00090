//! The queue against a model: random pushes, acks, kills, torn and damaged files, full and broken disks.

use super::*;
use proptest::prelude::*;
use std::fs;
use tempfile::TempDir;
use uuid::Uuid;

fn config(folder: &TempDir, max_bytes: u64) -> QueueConfig {
    QueueConfig { path: folder.path().join("queue"), max_bytes }
}

fn message(class: Class, text: &str) -> Message {
    Message {
        class,
        topic: "gymwire/v1/readers/door/tap".into(),
        taken: Moment { boot: Uuid::from_u128(9), at_ms: 77 },
        payload: text.as_bytes().to_vec(),
    }
}

fn tap(text: &str) -> Message {
    message(Class::Tap, text)
}

fn push(queue: &mut Queue, message: Message) -> Result<u64, Refused> {
    queue.push(vec![message]).remove(0)
}

fn waiting(queue: &Queue) -> Vec<String> {
    let text = |entry: &Arc<Entry>| String::from_utf8_lossy(&entry.payload).into_owned();
    queue.after(0, usize::MAX).iter().map(text).collect()
}

#[test]
fn what_is_pushed_comes_back_after_a_restart_in_order_and_unchanged() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20);
    let mut queue = Queue::open(&config).unwrap();
    queue.push(vec![tap("a"), tap("b"), tap("c")]);
    queue.done(&[2]);
    let before = queue.after(0, 10);
    drop(queue);

    let queue = Queue::open(&config).unwrap();

    assert_eq!(queue.after(0, 10), before);
    assert_eq!(waiting(&queue), ["a", "c"]);
    assert_eq!(peek(&config.path).unwrap().len(), 2);
    assert_eq!(queue.newest(), 3);
}

#[test]
fn a_second_bridge_with_the_same_queue_is_refused() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20);
    let first = Queue::open(&config).unwrap();

    let second = format!("{:#}", Queue::open(&config).unwrap_err());

    assert!(second.contains("another firmware-bridge"), "{second}");
    drop(first);
    Queue::open(&config).unwrap();
}

#[test]
fn a_full_queue_keeps_the_taps_and_drops_the_oldest_of_the_rest() {
    let folder = TempDir::new().unwrap();
    let each = record::size("gymwire/v1/readers/door/tap", b"1");
    let mut queue = Queue::open(&config(&folder, 4 * each)).unwrap();
    queue.push(vec![tap("1"), message(Class::Other, "2"), message(Class::Other, "3"), tap("4")]);

    push(&mut queue, tap("5")).unwrap();
    push(&mut queue, message(Class::Other, "6")).unwrap();
    push(&mut queue, tap("7")).unwrap();

    assert_eq!(waiting(&queue), ["1", "4", "5", "7"]);
    assert_eq!(push(&mut queue, tap("8")), Err(Refused::Full));
    assert_eq!(push(&mut queue, message(Class::Other, "9")), Err(Refused::Full));
    assert_eq!(queue.losses(), Losses { dropped: 3, refused: 2 });
    drop(queue);
    assert_eq!(waiting(&Queue::open(&config(&folder, 4 * each)).unwrap()), ["1", "4", "5", "7"]);
}

#[test]
fn what_is_lent_takes_no_room_from_anything_and_is_never_on_disk() {
    let folder = TempDir::new().unwrap();
    let each = record::size("gymwire/v1/readers/door/tap", b"1");
    let mut queue = Queue::open(&config(&folder, 3 * each)).unwrap();

    queue.push(vec![message(Class::Lent, "1"), message(Class::Other, "2")]);
    push(&mut queue, tap("3")).unwrap();
    let refused = push(&mut queue, message(Class::Lent, "4"));
    push(&mut queue, tap("5")).unwrap();

    assert_eq!(refused, Err(Refused::Full));
    assert_eq!(waiting(&queue), ["2", "3", "5"]);
    push(&mut queue, tap("6")).unwrap();
    queue.done(&[3]);
    push(&mut queue, message(Class::Lent, "7")).unwrap();
    assert_eq!(waiting(&queue), ["5", "6", "7"]);
    drop(queue);
    assert_eq!(waiting(&Queue::open(&config(&folder, 3 * each)).unwrap()), ["5", "6"]);
}

#[test]
fn an_overlong_message_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut queue = Queue::open(&config(&folder, 1 << 20)).unwrap();

    assert_eq!(push(&mut queue, tap(&"x".repeat(MAX_PAYLOAD + 1))), Err(Refused::TooLong));
    push(&mut queue, tap(&"x".repeat(MAX_PAYLOAD))).unwrap();

    drop(queue);
    assert_eq!(Queue::open(&config(&folder, 1 << 20)).unwrap().len(), 1);
}

#[test]
fn the_file_stays_small_however_much_goes_through() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20);
    let mut queue = Queue::open(&config).unwrap();
    let keeper = push(&mut queue, tap("keeper")).unwrap();

    for _ in 0..50 {
        let batch = (0..100).map(|_| tap(&"y".repeat(200))).collect();
        let seqs: Vec<u64> = queue.push(batch).into_iter().map(Result::unwrap).collect();
        queue.done(&seqs);
    }

    let size = fs::metadata(config.path.join("queue")).unwrap().len();
    assert!(size < 2 * REWRITE_ABOVE, "{size}");
    drop(queue);
    let queue = Queue::open(&config).unwrap();
    assert_eq!(queue.after(0, 9).iter().map(|entry| entry.seq).collect::<Vec<_>>(), [keeper]);
}

#[test]
fn a_damaged_middle_is_set_aside_and_the_rest_is_kept() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1 << 20);
    let mut queue = Queue::open(&config).unwrap();
    queue.push(vec![tap("first"), tap("second"), tap("third")]);
    drop(queue);
    let path = config.path.join("queue");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    fs::write(&path, &bytes).unwrap();

    let queue = Queue::open(&config).unwrap();

    assert_eq!(waiting(&queue), ["first", "third"]);
    assert!(queue.is_durable());
    assert_eq!(fs::read(config.path.join("queue.damaged")).unwrap(), bytes);
}

#[test]
fn a_folder_that_cannot_be_used_leaves_a_queue_in_memory() {
    let folder = TempDir::new().unwrap();
    let blocked = folder.path().join("file");
    fs::write(&blocked, "in the way").unwrap();
    let config = QueueConfig { path: blocked.join("queue"), max_bytes: 1 << 20 };

    let mut queue = Queue::open(&config).unwrap();
    push(&mut queue, tap("a")).unwrap();

    assert_eq!(waiting(&queue), ["a"]);
    assert!(!queue.is_durable());
}

#[test]
fn a_disk_that_recovers_gets_everything_that_waited_in_memory() {
    let folder = TempDir::new().unwrap();
    let blocked = folder.path().join("later-a-folder");
    fs::write(&blocked, "in the way").unwrap();
    let config = QueueConfig { path: blocked.clone(), max_bytes: 1 << 20 };
    let mut queue = Queue::open(&config).unwrap();
    push(&mut queue, tap("a")).unwrap();

    fs::remove_file(&blocked).unwrap();
    fs::create_dir(&blocked).unwrap();
    push(&mut queue, tap("b")).unwrap();

    assert!(queue.is_durable());
    drop(queue);
    assert_eq!(waiting(&Queue::open(&config).unwrap()), ["a", "b"]);
}

#[derive(Debug, Clone)]
enum Step {
    Push(Vec<bool>),
    Done(prop::sample::Index),
    Sync,
    Restart,
    /// Power cut: what was not synced is lost from some point on, maybe within a record.
    Cut(prop::sample::Index),
    /// The card wrote rubbish where the next record would have been.
    Rubbish(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(any::<bool>(), 1..5).prop_map(Step::Push),
        4 => any::<prop::sample::Index>().prop_map(Step::Done),
        1 => Just(Step::Sync),
        1 => Just(Step::Restart),
        2 => any::<prop::sample::Index>().prop_map(Step::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Step::Rubbish),
    ]
}

/// What must be there, and what may be there: an ack is not synced, so its message may come back.
#[derive(Debug, Default)]
struct Model {
    owed: BTreeMap<u64, String>,
    /// Kept without a sync: owed unless the power fails.
    unsynced: BTreeMap<u64, String>,
    maybe: BTreeMap<u64, String>,
    /// Size of the file at its last sync.
    synced: u64,
}

impl Model {
    fn agrees_with(&self, queue: &Queue) {
        let found: BTreeMap<u64, String> = queue
            .after(0, usize::MAX)
            .iter()
            .map(|entry| (entry.seq, String::from_utf8_lossy(&entry.payload).into_owned()))
            .collect();
        for (seq, text) in self.owed.iter().chain(&self.unsynced) {
            assert_eq!(found.get(seq), Some(text));
        }
        for (seq, text) in &found {
            let known = [&self.owed, &self.unsynced, &self.maybe].map(|texts| texts.get(seq));
            assert!(known.contains(&Some(text)), "{seq} {text}");
        }
    }

    /// The file was synced at this size.
    fn synced(&mut self, size: u64) {
        self.owed.append(&mut self.unsynced);
        self.synced = size;
    }
}

proptest! {
    #[test]
    fn nothing_synced_is_lost_and_nothing_is_invented(
        steps in prop::collection::vec(step(), 1..40), payload_size in 1..3_000_usize,
    ) {
        let folder = TempDir::new().unwrap();
        let config = config(&folder, 1 << 30);
        let path = config.path.join("queue");
        let mut queue = Queue::open(&config).unwrap();
        let mut model = Model::default();

        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(taps) => {
                    let text = |at: usize| format!("{number}.{at}:{}", "p".repeat(payload_size));
                    let class = |tap| if tap { Class::Tap } else { Class::Other };
                    let batch = taps.iter().enumerate().map(|(at, tap)| message(class(*tap), &text(at)));
                    for (at, seq) in queue.push(batch.collect()).into_iter().enumerate() {
                        model.unsynced.insert(seq.unwrap(), text(at));
                    }
                    if taps.contains(&true) {
                        model.synced(fs::metadata(&path).unwrap().len());
                    }
                    prop_assert!(queue.is_unsynced() || model.unsynced.is_empty());
                }
                Step::Sync => {
                    queue.sync();
                    model.synced(fs::metadata(&path).unwrap().len());
                }
                Step::Done(which) => {
                    if let Some(entry) = queue.after(0, usize::MAX).get(which.index(queue.len().max(1))) {
                        queue.done(&[entry.seq]);
                        let text = String::from_utf8_lossy(&entry.payload).into_owned();
                        model.owed.remove(&entry.seq);
                        model.unsynced.remove(&entry.seq);
                        model.maybe.insert(entry.seq, text);
                        // A rewrite syncs what it writes.
                        if !queue.is_unsynced() && !model.unsynced.is_empty() {
                            model.synced(fs::metadata(&path).unwrap().len());
                        }
                        model.synced = model.synced.min(fs::metadata(&path).unwrap().len());
                    }
                }
                Step::Restart => {
                    drop(queue);
                    queue = Queue::open(&config).unwrap();
                }
                Step::Cut(at) => {
                    drop(queue);
                    let len = fs::metadata(&path).unwrap().len();
                    let unsynced = usize::try_from(len - model.synced).unwrap();
                    let keep = model.synced + at.index(unsynced + 1) as u64;
                    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(keep).unwrap();
                    queue = Queue::open(&config).unwrap();
                    model.maybe.append(&mut model.unsynced);
                    model.synced = model.synced.min(fs::metadata(&path).unwrap().len());
                }
                Step::Rubbish(rubbish) => {
                    drop(queue);
                    let mut bytes = fs::read(&path).unwrap();
                    bytes.extend_from_slice(&rubbish);
                    fs::write(&path, bytes).unwrap();
                    queue = Queue::open(&config).unwrap();
                    model.synced(fs::metadata(&path).unwrap().len());
                }
            }
            model.agrees_with(&queue);
        }
    }
}
