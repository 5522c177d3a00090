//! What is left of entries that are thinned or dropped: one entry that covers their range.

use super::classes::Class;
use super::entry::Entry;
use super::packing::{pack, unpack};
use protocol::machine::TimedSample;
use protocol::sync::entry::{Body, Event, GapReason, Stream};
use std::collections::HashMap;

const MINUTE_MS: u64 = 60_000;

/// The minute that was kept last, per machine; a thinned stretch goes on where the one before ended.
#[derive(Debug, Default)]
pub struct Minutes(HashMap<u32, (u64, u64)>);

impl Minutes {
    /// Whether the sample is the first of its machine in its minute.
    fn keeps(&mut self, boot: u64, timed: &TimedSample) -> bool {
        let minute = (boot, timed.mono_ms / MINUTE_MS);
        self.0.insert(timed.source, minute) != Some(minute)
    }
}

/// Stretches that can each become one entry: consecutive, of one epoch and boot, all telemetry that was not
/// thinned before.
pub fn runs_of_telemetry(entries: &[Entry], max_samples: u64) -> impl Iterator<Item = &[Entry]> {
    let fits = |entry: &Entry| entry.class == Class::Telemetry && entry.missing == 0;
    runs(entries, fits).flat_map(move |run| {
        let mut samples = 0;
        let mut part = 0;
        let mut parts = Vec::new();
        for (index, entry) in run.iter().enumerate() {
            samples += entry.count;
            if samples > max_samples && index > part {
                parts.push(&run[part..index]);
                (part, samples) = (index, entry.count);
            }
        }
        parts.push(&run[part..]);
        parts
    })
}

/// Stretches that can each become one gap record of this stream.
pub fn runs_of_droppable(entries: &[Entry], stream: Stream) -> impl Iterator<Item = &[Entry]> {
    runs(entries, move |entry| match entry.class {
        Class::Gap => gap_count(entry, stream).is_some(),
        class => class.stream() == stream && class != Class::Fact,
    })
}

fn runs(entries: &[Entry], fits: impl Fn(&Entry) -> bool) -> impl Iterator<Item = &[Entry]> {
    let follows = |one: &Entry, other: &Entry| {
        one.epoch == other.epoch
            && one.next_pos() == other.pos
            && one.stamp.boot == other.stamp.boot
    };
    let fits = std::rc::Rc::new(fits);
    let same = std::rc::Rc::clone(&fits);
    entries
        .chunk_by(move |one, other| follows(one, other) && same(one) && same(other))
        .filter(move |run| fits(&run[0]))
}

/// One entry with a sample a minute and machine of all these, and how many samples are left out. `None` if they
/// cannot become one.
pub fn thinned(run: &[Entry], minutes: &mut Minutes) -> Option<(Entry, u64)> {
    let (first, last) = (run.first()?, run.last()?);
    let mut kept = Vec::new();
    let mut missing = 0;
    let mut new = 0;
    for entry in run {
        let samples = unpack(&entry.payload).ok()?;
        let before = kept.len();
        let all = samples.len();
        kept.extend(samples.into_iter().filter(|timed| minutes.keeps(entry.stamp.boot, timed)));
        let left_out = (all - (kept.len() - before)) as u64;
        new += left_out;
        missing += entry.missing + left_out;
    }
    kept.sort_by_key(|timed| (timed.source, timed.mono_ms));
    let span = run.iter().map(|entry| entry.span).sum();
    if kept.is_empty() {
        let place = first.place();
        let gap = Entry::gap(place, span, Stream::Telemetry, GapReason::Thinned, missing);
        return Some((gap, new));
    }
    let [(payload, count)] = pack(&kept).try_into().ok()?;
    let entry = Entry {
        span,
        stamp: last.stamp,
        count: count as u64,
        missing,
        digests: None,
        payload,
        ..first.clone()
    };
    Some((entry, new))
}

/// One gap record for all these, and how many samples or events it adds to those already gone.
pub fn dropped(run: &[Entry], stream: Stream) -> Option<(Entry, u64)> {
    let first = run.first()?;
    let gone = |entry: &Entry| gap_count(entry, stream).unwrap_or(entry.count + entry.missing);
    let new = run.iter().filter(|entry| entry.class != Class::Gap).map(|entry| entry.count).sum();
    let count = run.iter().map(gone).sum();
    let span = run.iter().map(|entry| entry.span).sum();
    Some((Entry::gap(first.place(), span, stream, GapReason::Dropped, count), new))
}

/// What a gap record of this stream stands for; `None` if the entry is none, or tells of damage.
fn gap_count(entry: &Entry, stream: Stream) -> Option<u64> {
    if entry.class != Class::Gap {
        return None;
    }
    match Event::decode(&entry.payload).ok()?.body {
        Body::Gap(gap) if gap.stream == stream && gap.reason != GapReason::Damaged => {
            Some(gap.count)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Sample;
    use protocol::time::Stamp;

    fn entry(pos: u64, times: &[u64]) -> Entry {
        let taken_at = |&mono_ms: &u64| TimedSample {
            source: 1,
            mono_ms,
            sample: Sample { seq: mono_ms, boot: Some(1), ..Sample::default() },
        };
        let samples: Vec<_> = times.iter().map(taken_at).collect();
        let (payload, count) = pack(&samples).remove(0);
        Entry {
            pos,
            class: Class::Telemetry,
            epoch: 5,
            seq: pos,
            span: 1,
            stamp: Stamp { boot: 1, mono_ms: pos, wall_ms: 0, synced: false },
            count: count as u64,
            missing: 0,
            digests: Some(vec![1]),
            payload,
        }
    }

    #[test]
    fn one_sample_a_minute_is_kept_over_all_entries() {
        let run =
            [entry(1, &[1_000, 2_000, 59_000]), entry(2, &[59_900, 60_000]), entry(3, &[61_000])];
        let mut minutes = Minutes::default();

        let (first, _) = thinned(&run[..2], &mut minutes).unwrap();
        let (second, new) = thinned(&run[2..], &mut minutes).unwrap();

        let times: Vec<_> =
            unpack(&first.payload).unwrap().iter().map(|timed| timed.mono_ms).collect();
        assert_eq!(times, [1_000, 60_000]);
        assert_eq!((first.seq, first.span, first.count, first.missing), (1, 2, 2, 3));
        assert_eq!((second.class, second.span, new), (Class::Gap, 1, 1), "nothing of it was kept");
    }

    #[test]
    fn dropping_counts_what_thinning_had_left_out() {
        let mut minutes = Minutes::default();
        let (thinned, _) = thinned(&[entry(1, &[1, 2, 3]), entry(2, &[4])], &mut minutes).unwrap();

        let (gap, new) = dropped(&[thinned, entry(3, &[5, 6])], Stream::Telemetry).unwrap();
        let (wider, more) = dropped(&[gap, entry(4, &[7])], Stream::Telemetry).unwrap();

        assert_eq!((new, more), (3, 1));
        assert_eq!((wider.seq, wider.span), (1, 4));
        assert_eq!(gap_count(&wider, Stream::Telemetry), Some(7));
    }

    #[test]
    fn a_run_ends_at_another_kind_epoch_or_hole() {
        let mut tap = entry(3, &[1]);
        tap.class = Class::Fact;
        let mut other_epoch = entry(2, &[1]);
        other_epoch.epoch = 6;

        let lengths = |entries: &[Entry], max_samples| {
            runs_of_telemetry(entries, max_samples).map(<[Entry]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[entry(1, &[1]), entry(2, &[1]), tap, entry(4, &[1])], 100), [2, 1]);
        assert_eq!(lengths(&[entry(1, &[1]), other_epoch], 100), [1, 1]);
        assert_eq!(lengths(&[entry(1, &[1]), entry(3, &[1])], 100), [1, 1]);
        assert_eq!(lengths(&[entry(1, &[1, 2]), entry(2, &[3]), entry(3, &[4])], 3), [2, 1]);
    }
}
