//! A deterministic gym: cardio machines with life-like noise.

use protocol::machine::{Field, Sample, TimedSample};

/// A small generator with a seed, so that sizes are the same on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in 0..1.
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.bits() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Bell-shaped around 0, with this standard deviation.
    pub fn bell(&mut self, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        (sum - 6.0) * deviation
    }
}

/// One treadmill at 1 Hz for `count` seconds: eight fields, device uptime, arrival with network jitter.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive times")]
pub fn treadmill(machine: u64, count: usize) -> Vec<TimedSample> {
    let mut noise = Noise::new(machine);
    let pace = 1.5 + noise.unit() * 2.5;
    let (mut seq, boot) = (noise.bits() % 100_000, Some(noise.bits() as u32));
    let (mut uptime, offset) = (noise.bits() % 100_000_000, noise.bits() % 1_000_000);
    let mut elapsed = noise.unit() * 1_000.0;
    let (mut distance, mut energy) = (elapsed * pace, elapsed * 0.15);
    let (mut heart, mut cadence, mut power) = (135.0, 160.0, 60.0 * pace);
    let incline = (noise.unit() * 6.0).round() / 2.0;
    (0..count)
        .map(|_| {
            let passed = 1.0 + noise.bell(0.002);
            let speed = pace + noise.bell(0.012);
            heart += noise.bell(0.6) + (140.0 - heart) * 0.02;
            cadence += noise.bell(0.8) + (160.0 - cadence) * 0.2;
            power += noise.bell(4.0) + (60.0 * pace - power) * 0.2;
            elapsed += passed;
            distance += speed * passed;
            energy += power * passed / 1_000.0;
            uptime += (passed * 1_000.0).round() as u64;
            seq += 1;
            let jitter = (-noise.unit().max(1e-9).ln() * 4.0) as u64;
            let mut sample = Sample { seq, boot, uptime_ms: Some(uptime), ..Sample::default() };
            let fields = &mut sample.fields;
            fields.set(Field::ElapsedS, elapsed);
            fields.set(Field::DistanceM, distance);
            fields.set(Field::EnergyKcal, energy);
            fields.set(Field::SpeedMps, speed);
            fields.set(Field::InclinePct, incline);
            fields.set(Field::CadenceRpm, cadence);
            fields.set(Field::PowerW, power);
            fields.set(Field::HeartRateBpm, heart);
            TimedSample { source: 0, mono_ms: uptime + offset + jitter, sample }
        })
        .collect()
}
