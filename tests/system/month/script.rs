//! What members and machines do in the month, minute by minute. Nobody touches a machine again while anybody could argue
//! whose it is: it rests for longer than a power cut can confuse the clock.

use tests::seed::Seed;
use uuid::Uuid;

/// Minutes of a day.
pub const DAY_MIN: u32 = 24 * 60;
/// The doors are open for members from here,
pub const OPENS_MIN: u32 = 6 * 60;
/// up to here; machines are on as long.
pub const CLOSES_MIN: u32 = 22 * 60;
/// The last member comes.
const LAST_ARRIVAL_MIN: u32 = 20 * 60 + 30;
/// So long nobody touches a machine that somebody has used.
const REST_MIN: u32 = 15;
/// One in so many visits ends without a tap at the door.
const FORGETS_DOOR: f64 = 0.04;

/// How much happens.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    pub days: u32,
    pub machines: u32,
    pub visits_a_day: u32,
    pub samples_a_minute: u32,
}

/// Somebody or something does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A card at the door.
    Door { member: u32, tap: Uuid },
    /// A card at a machine's reader.
    Machine { member: u32, machine: u32, tap: Uuid },
    /// A machine tells of a set.
    Set { machine: u32, set: Uuid },
}

/// The acts of one day, each with its minute, in order.
pub struct Day {
    acts: Vec<(u32, Act)>,
    machines_free_from: Vec<u32>,
    seed: Seed,
}

impl Day {
    /// Everybody comes every day.
    pub fn draw(scale: Scale, number: u32, seed: &Seed) -> Vec<(u32, Act)> {
        let seed = seed.part(u64::from(number) + 1);
        let machines_free_from = vec![0; scale.machines as usize];
        let mut day = Self { acts: Vec::new(), machines_free_from, seed };
        let mut arrivals: Vec<(u32, u32)> = (0..scale.visits_a_day)
            .map(|member| (day.seed.between_u32(OPENS_MIN, LAST_ARRIVAL_MIN), member))
            .collect();
        // Machines are handed out in the order of time.
        arrivals.sort_unstable();
        for (arrival_min, member) in arrivals {
            day.visit(member, arrival_min);
        }
        let mut acts = day.acts;
        acts.sort_by_key(|(minute, _)| *minute);
        acts
    }

    fn visit(&mut self, member: u32, arrival_min: u32) {
        self.door(member, arrival_min);
        if self.seed.chance(0.05) {
            // The reader had beeped already.
            self.door(member, arrival_min);
        }
        let mut minute = arrival_min + self.seed.between_u32(3, 10);
        for _ in 0..self.seed.between(0, 3) {
            minute = self.exercise(member, minute) + self.seed.between_u32(10, 20);
        }
        if !self.seed.chance(FORGETS_DOOR) {
            self.door(member, minute.min(CLOSES_MIN - 1).max(arrival_min + 1));
        }
    }

    /// Somebody takes a machine; in the end it is given back, forgotten, or left for the next one.
    fn exercise(&mut self, member: u32, minute: u32) -> u32 {
        let Some(machine) = self.free_machine(minute) else { return minute };
        self.at_machine(member, machine, minute);
        if self.seed.chance(0.5) {
            let set = self.id();
            self.acts.push((minute + 1, Act::Set { machine, set }));
        }
        if self.seed.chance(0.05) {
            // Somebody else wants it.
            self.at_machine(member + 1, machine, minute + 1);
        }
        let end = minute + self.seed.between_u32(2, 5);
        match self.seed.between(0, 4) {
            0 | 1 => {
                self.at_machine(member, machine, end);
                end
            }
            2 => minute,
            _ => match self.free_machine(end) {
                Some(next) => {
                    self.at_machine(member, next, end);
                    end
                }
                None => minute,
            },
        }
    }

    /// One that has rested, and is taken from now on. Sometimes it tells of a set that is nobody's before.
    fn free_machine(&mut self, minute: u32) -> Option<u32> {
        let free: Vec<u32> = (0_u32..)
            .zip(&self.machines_free_from)
            .filter(|(_, from)| **from <= minute)
            .map(|(machine, _)| machine)
            .collect();
        if free.is_empty() || minute + REST_MIN >= CLOSES_MIN {
            return None;
        }
        let machine = *self.seed.one_of(&free);
        self.machines_free_from[machine as usize] = minute + 5 + REST_MIN;
        if self.seed.chance(0.05) && minute > OPENS_MIN + 1 {
            let set = self.id();
            self.acts.push((minute - 1, Act::Set { machine, set }));
        }
        Some(machine)
    }

    fn door(&mut self, member: u32, minute: u32) {
        let tap = self.id();
        self.acts.push((minute, Act::Door { member, tap }));
    }

    fn at_machine(&mut self, member: u32, machine: u32, minute: u32) {
        let tap = self.id();
        self.acts.push((minute, Act::Machine { member, machine, tap }));
    }

    fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(
            [self.seed.bits().to_be_bytes(), self.seed.bits().to_be_bytes()]
                .concat()
                .try_into()
                .expect("two times eight bytes"),
        )
        .into_uuid()
    }
}
