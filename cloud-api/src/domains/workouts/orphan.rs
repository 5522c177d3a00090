//! Work at machines that nobody had taken: found again for a whole day (UTC) of a machine whenever something of it changes,
//! from roll-ups of a minute and sets, and replaced.

use super::worker::since;
use super::{orphan_store as store, stale};
use crate::app::App;
use crate::ids::DeviceId;
use anyhow::Result;
use sha2::{Digest, Sha256};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

/// A longer pause ends it.
const PAUSE: Duration = Duration::minutes(5);
/// Less is somebody who stepped over the belt.
const SHORTEST: Duration = Duration::minutes(2);
const SHORTEST_M: f64 = 50.0;

/// A minute of work, or a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
    pub distance_m: f64,
    pub energy_kcal: f64,
    /// Of a set.
    pub reps: Option<i32>,
    pub weight_kg: Option<f64>,
}

/// Work that is nobody's.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
    pub sets: i32,
    pub reps: i32,
    pub max_weight_kg: Option<f64>,
    pub distance_m: f64,
    pub energy_kcal: f64,
}

/// A stretch that is somebody's, or was decided.
pub type Cover = (OffsetDateTime, Option<OffsetDateTime>);

/// What is left over of a day.
pub fn orphans(mut pieces: Vec<Piece>, covers: &[Cover]) -> Vec<Orphan> {
    pieces.retain(|piece| {
        let is_covered =
            |(from, to): &Cover| piece.to > *from && to.is_none_or(|to| piece.from < to);
        !covers.iter().any(is_covered)
    });
    pieces.sort_by_key(|piece| (piece.from, piece.to));
    let mut found: Vec<Orphan> = Vec::new();
    for piece in pieces {
        if let Some(last) = found.last_mut().filter(|last| piece.from - last.to <= PAUSE) {
            last.add(&piece);
            continue;
        }
        let mut orphan = Orphan {
            from: piece.from,
            to: piece.to,
            sets: 0,
            reps: 0,
            max_weight_kg: None,
            distance_m: 0.0,
            energy_kcal: 0.0,
        };
        orphan.add(&piece);
        found.push(orphan);
    }
    found.retain(|orphan| {
        orphan.sets > 0 || orphan.to - orphan.from >= SHORTEST || orphan.distance_m >= SHORTEST_M
    });
    found
}

impl Orphan {
    fn add(&mut self, piece: &Piece) {
        self.to = self.to.max(piece.to);
        self.distance_m += piece.distance_m;
        self.energy_kcal += piece.energy_kcal;
        if let Some(reps) = piece.reps {
            self.sets += 1;
            self.reps += reps;
        }
        if let Some(weight) = piece.weight_kg {
            self.max_weight_kg = Some(self.max_weight_kg.map_or(weight, |known| known.max(weight)));
        }
    }

    /// The same for the same machine and beginning, so that who looks at it finds it again.
    pub fn id(&self, machine: DeviceId) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(machine.0.as_bytes());
        hash.update(self.from.unix_timestamp().to_be_bytes());
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// `false` if no day is out of date.
pub async fn settle_day(app: &App, patience: (Duration, Duration)) -> Result<bool> {
    let (quiet, waiting) = since(app.clock.now(), patience);
    let mut tx = app.db.begin().await?;
    let Some((machine, day)) = stale::take_day(&mut tx, quiet, waiting).await? else {
        return Ok(false);
    };
    if let Some(branch) = stale::branch_of(&mut tx, machine).await? {
        let (from, to) = bounds(day);
        let mut pieces = store::minutes(&mut tx, machine, from, to).await?;
        pieces.extend(store::sets(&mut tx, machine, from, to).await?);
        let covers = store::covers(&mut tx, machine, from, to).await?;
        let found = orphans(pieces, &covers);
        store::replace(&mut tx, branch, machine, day, &found).await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn bounds(day: Date) -> (OffsetDateTime, OffsetDateTime) {
    let from = day.midnight().assume_utc();
    (from, from.saturating_add(Duration::DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn minute(n: i64) -> Piece {
        let from = NOON + Duration::minutes(n);
        let to = from + Duration::MINUTE;
        Piece { from, to, distance_m: 180.0, energy_kcal: 8.0, reps: None, weight_kg: None }
    }

    fn set(n: i64, weight_kg: f64) -> Piece {
        let at = NOON + Duration::minutes(n);
        Piece {
            from: at,
            to: at + Duration::SECOND,
            distance_m: 0.0,
            energy_kcal: 0.0,
            reps: Some(10),
            weight_kg: Some(weight_kg),
        }
    }

    #[test]
    fn what_nobody_had_taken_is_left_over_in_stretches() {
        let pieces: Vec<_> = (0..60).map(minute).collect();
        let had = (NOON + Duration::minutes(10), Some(NOON + Duration::minutes(40)));

        let found = orphans(pieces, &[had]);

        let minutes: Vec<_> = found
            .iter()
            .map(|one| ((one.from - NOON).whole_minutes(), (one.to - NOON).whole_minutes()))
            .collect();
        assert_eq!(minutes, [(0, 10), (40, 60)]);
        assert!((found[0].distance_m - 1_800.0).abs() < 1e-9);
    }

    #[test]
    fn sets_with_rests_between_them_are_one_and_a_long_pause_ends_it() {
        let found = orphans(vec![set(30, 50.0), set(0, 60.0), set(4, 80.0)], &[]);

        let sets: Vec<_> =
            found.iter().map(|one| (one.sets, one.reps, one.max_weight_kg)).collect();
        assert_eq!(sets, [(2, 20, Some(80.0)), (1, 10, Some(50.0))]);
    }

    #[test]
    fn a_moment_on_a_machine_is_nothing_and_an_open_link_covers_all_after_it() {
        let mut short = minute(0);
        short.distance_m = 3.0;

        assert!(orphans(vec![short], &[]).is_empty());
        assert!(orphans((0..9).map(minute).collect(), &[(NOON, None)]).is_empty());
    }
}
