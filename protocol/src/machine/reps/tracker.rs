//! Sets out of the numbered messages of a board, each published once, whatever is killed when.
//!
//! A message may be acked when no unfinished set needs it. So after a crash the board sends the whole set again, from the
//! message in which it began: until then everything before was forgotten, and the same messages give the same numbers.

use super::{Detector, Ended, Settings, StrengthSet};
use crate::ids::{Code, SetId};
use crate::machine::{Field, Sample};
use crate::mqtt::payloads::SetPayload;
use sha2::{Digest, Sha256};
use uuid::Builder;

/// Milliseconds between two positions of a message.
const EVERY_MS: std::ops::RangeInclusive<u16> = 5..=500;

/// A message spans less. Shorter than any pause, so that no message has movements of two sets.
const LONGEST_SPAN_MS: u64 = 5_000;

/// Positions as a board sends them.
#[derive(Debug, Clone, Copy)]
pub struct Travel<'a> {
    /// The board's boot.
    pub boot: u32,
    /// Number of the message; ascending within a boot.
    pub seq: u64,
    /// Milliseconds since the boot at the first position.
    pub uptime_ms: u64,
    /// Milliseconds from one position to the next, 5 to 500.
    pub every_ms: u16,
    /// Millimetres from any fixed point; less than five seconds of them.
    pub position_mm: &'a [i16],
    /// Load in hundredths of a kilogram.
    pub weight_cg: Option<u32>,
}

/// Something to be told to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// How many repetitions there are so far; has the number of a message that no set uses.
    Live(Sample),
    /// A finished set; has the number of the last message in which it moved.
    Set(SetPayload),
}

/// What comes of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// To be told, in this order.
    pub publish: Vec<Publication>,
    /// Messages that may be acked when all that was to be told so far is on disk.
    pub settled: Vec<u64>,
    /// The message was no travel: wrong interval, no positions or too many.
    pub is_implausible: bool,
}

/// The sets of one machine.
#[derive(Debug, Clone)]
pub struct Tracker {
    code: Code,
    detector: Detector,
    open: Option<Open>,
}

/// Messages that are not settled.
#[derive(Debug, Clone)]
struct Open {
    boot: u32,
    seqs: Vec<u64>,
    weight_cg: Option<u32>,
    /// The last message in which something moved.
    moved_seq: u64,
    /// The count at that message: told only when the set goes on, since the set itself may need the number.
    live: Option<Sample>,
}

impl Tracker {
    /// For the machine with this code.
    pub fn new(code: Code, settings: Settings) -> Self {
        Self { code, detector: Detector::new(settings), open: None }
    }

    /// The boot that the set under way belongs to.
    pub fn boot(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.boot)
    }

    /// Takes a message. Messages of another boot end what was under way.
    pub fn take(&mut self, travel: Travel<'_>) -> Step {
        let mut step = Step::default();
        let span_ms = u64::from(travel.every_ms) * travel.position_mm.len() as u64;
        if !EVERY_MS.contains(&travel.every_ms)
            || travel.position_mm.is_empty()
            || span_ms >= LONGEST_SPAN_MS
        {
            return Step { settled: vec![travel.seq], is_implausible: true, ..step };
        }
        if self.open.as_ref().is_some_and(|open| !open.may_go_on(&travel)) {
            step = self.finish();
        }
        let open = self.open.get_or_insert_with(|| Open::new(&travel));
        open.seqs.push(travel.seq);
        open.weight_cg = open.weight_cg.or(travel.weight_cg);
        let moved_before = self.detector.moved_ms();
        if let Some(Ended(found)) = self.run(&travel) {
            self.end(found, Some(travel.seq), &mut step);
            // From its first position, as it would be read after a crash.
            self.open = Some(Open { seqs: vec![travel.seq], ..Open::new(&travel) });
            self.detector.forget();
            self.run(&travel);
        }
        self.conclude(&travel, moved_before, &mut step);
        step
    }

    /// Ends what is under way: the board has restarted, or nothing will come of it any more.
    pub fn finish(&mut self) -> Step {
        let mut step = Step::default();
        let found = self.detector.finish();
        self.end(found, None, &mut step);
        step
    }

    fn run(&mut self, travel: &Travel<'_>) -> Option<Ended> {
        let every_ms = u64::from(travel.every_ms);
        let times = (0..).map(|index: u64| travel.uptime_ms.saturating_add(index * every_ms));
        let mut positions = times.zip(travel.position_mm);
        positions.find_map(|(at_ms, mm)| self.detector.push(at_ms, *mm))
    }

    /// What a message that was read to its end means for itself and those before.
    fn conclude(&mut self, travel: &Travel<'_>, moved_before: Option<u64>, step: &mut Step) {
        let Some(open) = &mut self.open else { return };
        let moved = self.detector.moved_ms();
        if moved.is_none() {
            // Nothing moves: the next message begins from nothing, as it would after a crash.
            step.settled.extend(self.open.take().map(|open| open.seqs).unwrap_or_default());
            self.detector.forget();
        } else if moved != moved_before {
            open.moved_seq = travel.seq;
            step.publish.extend(open.live.take().map(Publication::Live));
            open.live = self.detector.so_far().map(|set| live(travel, set.reps, open.weight_cg));
        }
    }

    /// Tells a set and settles its messages; `but` stays, since the next set may begin in it.
    fn end(&mut self, found: Option<StrengthSet>, but: Option<u64>, step: &mut Step) {
        let Some(open) = self.open.take() else { return };
        if let Some(found) = found {
            step.publish.push(Publication::Set(self.payload(&open, &found)));
        }
        step.settled.extend(open.seqs.iter().filter(|seq| Some(**seq) != but));
    }

    fn payload(&self, open: &Open, found: &StrengthSet) -> SetPayload {
        let duration_ms = found.ended_ms.saturating_sub(found.started_ms);
        SetPayload {
            seq: open.moved_seq,
            boot: Some(open.boot),
            set_id: open.seqs.first().map(|first| set_id(&self.code, open.boot, *first)),
            exercise: None,
            reps: found.reps,
            weight_cg: open.weight_cg,
            duration_ms: u32::try_from(duration_ms).ok(),
            rom_mm: Some(found.rom_mm.min(MAX_ROM_MM)),
            at_ms: None,
            uptime_ms: Some(found.ended_ms),
        }
    }
}

/// The agent takes no more.
const MAX_ROM_MM: u16 = 5_000;

impl Open {
    fn new(travel: &Travel<'_>) -> Self {
        Self {
            boot: travel.boot,
            seqs: Vec::new(),
            weight_cg: travel.weight_cg,
            moved_seq: travel.seq,
            live: None,
        }
    }

    /// Whether a message may belong to the same set: another load is another set.
    fn may_go_on(&self, travel: &Travel<'_>) -> bool {
        let is_same_load = match (self.weight_cg, travel.weight_cg) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        self.boot == travel.boot && is_same_load
    }
}

fn live(travel: &Travel<'_>, reps: u16, weight_cg: Option<u32>) -> Sample {
    let mut sample = Sample {
        seq: travel.seq,
        boot: Some(travel.boot),
        at_ms: None,
        uptime_ms: Some(travel.uptime_ms),
        ..Sample::default()
    };
    sample.fields.set_scaled(Field::Reps, reps.into());
    if let Some(weight) = weight_cg.and_then(|weight_cg| i32::try_from(weight_cg).ok()) {
        sample.fields.set_scaled(Field::WeightKg, weight);
    }
    sample
}

/// The same set has the same id, also when it is found again and cut otherwise: a second telling is then a repeat.
fn set_id(code: &Code, boot: u32, first_seq: u64) -> SetId {
    let mut hash = Sha256::new_with_prefix("gymwire-set-v1");
    hash.update(boot.to_be_bytes());
    hash.update(first_seq.to_be_bytes());
    hash.update(code.as_str());
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    SetId(Builder::from_custom_bytes(id).into_uuid())
}
