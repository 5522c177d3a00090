//! Noise as in life: what people and sensors do is not white, it wanders.

use crate::seed::Seed;

/// A first-order autoregressive process: each value keeps `memory` of the last one, so that it wanders slowly
/// around zero with the given standard deviation.
#[derive(Debug, Clone)]
pub struct Wander {
    memory: f64,
    deviation: f64,
    value: f64,
}

impl Wander {
    /// With a memory of 0 (white) to just below 1 (slow).
    pub fn new(memory: f64, deviation: f64) -> Self {
        Self { memory, deviation, value: 0.0 }
    }

    /// The next value.
    pub fn next(&mut self, seed: &mut Seed) -> f64 {
        // Scaled so that the deviation does not depend on the memory.
        let fresh = (1.0 - self.memory * self.memory).sqrt() * self.deviation * seed.normal();
        self.value = self.memory * self.value + fresh;
        self.value
    }
}

/// A value that follows its target with a time constant in seconds, as hearts, legs and belts do.
#[derive(Debug, Clone)]
pub struct Lag {
    value: f64,
    seconds: f64,
}

impl Lag {
    /// Starts at a value.
    pub fn new(value: f64, seconds: f64) -> Self {
        Self { value, seconds }
    }

    /// One second passes.
    pub fn follow(&mut self, target: f64) -> f64 {
        self.value += (target - self.value) * (1.0 - (-1.0 / self.seconds).exp());
        self.value
    }
}

/// Hand grips of a heart-rate sensor: contact is lost now and then for some seconds.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    lost_for_s: u64,
}

impl Contact {
    /// Whether there is contact in this second: lost about once in 40 s, for 1 to 8 s.
    pub fn holds(&mut self, seed: &mut Seed) -> bool {
        if self.lost_for_s == 0 && seed.chance(0.025) {
            self.lost_for_s = seed.between(1, 9);
        }
        let holds = self.lost_for_s == 0;
        self.lost_for_s = self.lost_for_s.saturating_sub(1);
        holds
    }
}
