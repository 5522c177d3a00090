//! Random numbers that can be had again: a test prints its seed, and `TEST_SEED` sets it.

/// A small generator (`SplitMix64`): good enough to choose moments and make noise, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    /// From `TEST_SEED`, else a random one; says which, so that a failure can be repeated.
    #[expect(clippy::print_stderr, reason = "a failed test has to name its seed")]
    pub fn announced(test: &str) -> Self {
        let seed = std::env::var("TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
        eprintln!("{test}: seed {seed} (TEST_SEED={seed} repeats it)");
        Self(seed)
    }

    /// From a number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a part, which does not depend on what other parts draw.
    #[must_use]
    pub fn part(&self, number: u64) -> Self {
        let mut part = Self(self.0 ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        part.bits();
        part
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// A whole number of `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low < high, "an empty range");
        low + self.bits() % (high - low)
    }

    /// A small whole number of `low..high`.
    pub fn between_u32(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(low.into(), high.into())).expect("below a u32")
    }

    /// A number of `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// A number of `low..high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + self.unit() * (high - low)
    }

    /// Whether something of that probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A normally distributed number with mean 0 and standard deviation 1 (sum of twelve uniform ones).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// One of several.
    #[expect(clippy::cast_possible_truncation, reason = "an index")]
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.between(0, choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut one, mut other) = (Seed::new(7), Seed::new(7));

        let numbers: Vec<u64> = (0..100).map(|_| one.bits()).collect();

        assert_eq!(numbers, (0..100).map(|_| other.bits()).collect::<Vec<_>>());
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut seed = Seed::new(1);

        let drawn: Vec<f64> = (0..10_000).map(|_| seed.normal()).collect();

        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
