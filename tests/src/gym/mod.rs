//! A simulated gym: machines that speak as consoles do, second by second, from a seed.
//!
//! Pure: `tick` lets a second pass and says what the machine would send. Who publishes it is the caller's choice.

mod cardio;
mod machine;
mod noise;
mod strength;

pub use machine::{Machine, Said};

use crate::seed::Seed;

/// What a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Treadmill,
    Bike,
    Elliptical,
    Rower,
    Strength,
}

impl Kind {
    /// The word for it in codes and in the cloud's registry.
    pub fn word(self) -> &'static str {
        match self {
            Self::Treadmill => "treadmill",
            Self::Bike => "bike",
            Self::Elliptical => "elliptical",
            Self::Rower => "rower",
            Self::Strength => "strength",
        }
    }
}

/// How many of each a gym of 40 machines has.
const MIX: [(Kind, usize); 5] = [
    (Kind::Treadmill, 10),
    (Kind::Bike, 8),
    (Kind::Elliptical, 6),
    (Kind::Rower, 4),
    (Kind::Strength, 12),
];

/// A gym of `count` machines in the usual mix, each with noise of its own.
pub fn machines(count: usize, seed: &Seed) -> Vec<Machine> {
    let total: usize = MIX.iter().map(|(_, number)| number).sum();
    let kinds = MIX.iter().flat_map(|&(kind, number)| std::iter::repeat_n(kind, number));
    let mixed: Vec<Kind> = kinds.collect();
    (0..count)
        .map(|place| {
            // 13 and 40 have no common divisor: neighbours differ, and 40 machines are the whole mix.
            let kind = mixed[place * 13 % total];
            let code = format!("{}-{:03}", kind.word(), place + 1);
            Machine::new(&code, kind, seed.part(place as u64))
        })
        .collect()
}

/// The code in a member's app, 118 characters as a real one; its signature is random, so it lets nobody in.
pub fn qr_code(seed: &mut Seed) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let symbols = (0..116).map(|_| char::from(*seed.one_of(ALPHABET)));
    std::iter::once("G1".to_owned()).chain(symbols.map(String::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::mqtt::payloads::{parse_set, parse_telemetry};

    #[test]
    fn a_gym_of_forty_has_the_whole_mix_and_no_code_twice() {
        let gym = machines(40, &Seed::new(1));

        let codes: std::collections::HashSet<_> = gym.iter().map(|m| m.code().to_owned()).collect();
        let rowers = gym.iter().filter(|machine| machine.kind() == Kind::Rower).count();
        assert_eq!((codes.len(), rowers), (40, 4));
    }

    #[test]
    fn everything_a_gym_says_in_an_hour_is_in_range() {
        let mut gym = machines(40, &Seed::new(2));

        let said: Vec<Said> = (0..3_600)
            .flat_map(|_| gym.iter_mut().flat_map(|m| m.tick(None)).collect::<Vec<_>>())
            .collect();

        let samples =
            said.iter().filter_map(Said::telemetry).map(|json| parse_telemetry(&json).map(drop));
        let sets = said.iter().filter_map(Said::set).map(|json| parse_set(&json).map(drop));
        let refused: Vec<_> = samples.chain(sets).filter_map(Result::err).collect();
        assert!(refused.is_empty(), "{:?}", refused.first());
        assert!(said.iter().filter_map(Said::set).count() > 100);
        assert!(said.iter().filter_map(Said::telemetry).count() > 40 * 3_600 / 2);
    }

    #[test]
    fn a_code_looks_like_a_real_one() {
        let code = qr_code(&mut Seed::new(3));

        assert_eq!((code.len(), &code[..2]), (118, "G1"));
    }
}
