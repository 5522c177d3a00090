//! Samples of many groups, put together per machine for the wire: long columns pack far better than short ones.

use protocol::ids::DeviceId;
use protocol::machine::TimedSample;
use protocol::machine::columns::{self, MAX_SAMPLES};
use protocol::sync::batch::MachineTelemetry;
use protocol::time::Stamp;

/// Clock readings within this are taken as one: two clocks are never read at the same instant.
const SAME_CLOCK_MS: u64 = 50;

/// Collects samples by clock reading.
#[derive(Debug, Default)]
pub struct Merge {
    clocks: Vec<(Stamp, Vec<TimedSample>)>,
}

impl Merge {
    /// Adds the samples of a group.
    pub fn add(&mut self, clock: Stamp, samples: Vec<TimedSample>) {
        let same = self.clocks.iter_mut().rev().find(|(known, _)| is_same(known, &clock));
        if let Some((known, merged)) = same {
            *known = clock;
            merged.extend(samples);
        } else {
            self.clocks.push((clock, samples));
        }
    }

    /// Everything, per machine and clock reading, in order of time.
    pub fn finish(self, device: impl Fn(u32) -> DeviceId) -> Vec<MachineTelemetry> {
        let mut telemetry = Vec::new();
        for (clock, samples) in self.clocks {
            let mut order: Vec<_> = (0_u32..)
                .zip(&samples)
                .map(|(index, timed)| (timed.source, timed.mono_ms, index))
                .collect();
            order.sort_unstable();
            for machine in order.chunk_by(|one, other| one.0 == other.0) {
                for block in machine.chunks(MAX_SAMPLES) {
                    let block: Vec<_> = block
                        .iter()
                        .map(|&(.., index)| TimedSample { source: 0, ..samples[index as usize] })
                        .collect();
                    let columns = columns::encode(&block);
                    telemetry.push(MachineTelemetry {
                        machine: device(machine[0].0),
                        clock,
                        columns,
                    });
                }
            }
        }
        telemetry
    }
}

fn is_same(one: &Stamp, other: &Stamp) -> bool {
    one.boot == other.boot
        && one.synced == other.synced
        && one.offset_ms().abs_diff(other.offset_ms()) <= SAME_CLOCK_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Sample;
    use uuid::Uuid;

    fn timed(source: u32, mono_ms: u64) -> TimedSample {
        TimedSample { source, mono_ms, sample: Sample { seq: mono_ms, ..Sample::default() } }
    }

    fn stamp(boot: u64, mono_ms: u64, wall_ms: i64) -> Stamp {
        Stamp { boot, mono_ms, wall_ms, synced: true }
    }

    #[test]
    fn samples_come_out_per_machine_and_clock_in_order_of_time() {
        let mut merge = Merge::default();
        merge.add(stamp(1, 10, 1010), vec![timed(1, 9), timed(2, 8)]);
        merge.add(stamp(1, 20, 1021), vec![timed(1, 7), timed(2, 19)]);
        merge.add(stamp(1, 30, 99_030), vec![timed(1, 29)]);
        merge.add(stamp(2, 5, 1005), vec![timed(1, 4)]);

        let merged = merge.finish(|number| DeviceId(Uuid::from_u128(number.into())));

        let seen: Vec<_> = merged
            .iter()
            .map(|part| {
                let times: Vec<_> = columns::decode(&part.columns)
                    .unwrap()
                    .iter()
                    .map(|timed| timed.mono_ms)
                    .collect();
                (part.machine.0.as_u128(), part.clock.mono_ms, times)
            })
            .collect();
        assert_eq!(
            seen,
            [(1, 20, vec![7, 9]), (2, 20, vec![8, 19]), (1, 30, vec![29]), (1, 5, vec![4])]
        );
    }
}
