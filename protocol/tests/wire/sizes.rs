//! Bytes per sample on the wire and in the journal. How long packing takes is measured by `make bench`.

use crate::gym;
use protocol::ids::DeviceId;
use protocol::machine::{TimedSample, columns};
use protocol::sync::batch::{Batch, MachineTelemetry};
use protocol::time::Stamp;
use uuid::Uuid;

fn batch(machines: u64, samples: usize) -> Batch {
    let telemetry = (0..machines).map(|machine| {
        let mut noise = gym::Noise::new(machine);
        let id = u128::from(noise.bits()) << 64 | u128::from(noise.bits());
        MachineTelemetry {
            machine: DeviceId(Uuid::from_u128(id)),
            clock: Stamp { boot: 7, mono_ms: 86_400_000, wall_ms: 1_790_000_000_000, synced: true },
            columns: columns::encode(&gym::treadmill(machine, samples)),
        }
    });
    Batch { epoch: 1, first_seq: 1, last_seq: 60, telemetry: telemetry.collect(), events: vec![] }
}

fn bytes_per_sample(machines: u64, samples: usize) -> f64 {
    let encoded = batch(machines, samples).encode(3);
    let count = usize::try_from(machines).unwrap() * samples;
    encoded.len() as f64 / count as f64
}

#[test]
fn a_backlog_takes_at_most_ten_bytes_per_sample() {
    let backlog = bytes_per_sample(40, 300);
    assert!(backlog <= 10.0, "{backlog:.2} bytes");
}

#[test]
fn live_operation_takes_at_most_twenty_bytes_per_sample() {
    let live = bytes_per_sample(200, 30);
    assert!(live <= 20.0, "{live:.2} bytes");
}

#[test]
fn a_group_of_the_journal_takes_at_most_twenty_bytes_per_sample() {
    let of_machine = |machine: u32| {
        let samples = gym::treadmill(u64::from(machine), 5).into_iter();
        samples.map(move |timed| TimedSample { source: machine, ..timed })
    };
    let group: Vec<_> = (0..200).flat_map(of_machine).collect();

    let packed = zstd::bulk::compress(&columns::encode(&group), 1).unwrap();

    let each = packed.len() as f64 / group.len() as f64;
    assert!(each <= 20.0, "{each:.2} bytes");
}
