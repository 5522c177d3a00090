//! Heart rates that are not kept: stretches of machines without them. Who asks for it notes the stretch and marks its hours;
//! whoever computes an hour writes its chunks anew first, so what comes late loses its heart rates too.

use super::chunk::taken_ms;
use super::rollup::Taken;
use super::{store, worker};
use crate::ids::{BranchId, DeviceId};
use anyhow::{Context, Result};
use protocol::machine::Field;
use protocol::machine::columns::{self, TimedSample};
use sqlx::{PgConnection, query};
use std::collections::BTreeSet;
use time::{Duration, OffsetDateTime};

/// Unix milliseconds, the end not included.
pub type Span = (i64, i64);

/// A stretch of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub branch: BranchId,
    pub machine: DeviceId,
    pub from: OffsetDateTime,
    pub to: OffsetDateTime,
}

/// Has the heart rates of some stretches erased, now and whenever more comes for them.
pub async fn erase_heart_rates(
    db: &mut PgConnection,
    stretches: &[Stretch],
    now: OffsetDateTime,
) -> Result<()> {
    for stretch in stretches {
        query!(
            "INSERT INTO heart_erasures (machine_id, from_at, to_at) VALUES ($1, $2, $3)
             ON CONFLICT ON CONSTRAINT heart_erasures_pkey DO NOTHING",
            stretch.machine.0,
            stretch.from,
            stretch.to,
        )
        .execute(&mut *db)
        .await?;
        let mut hours = BTreeSet::new();
        let mut hour = worker::hour_of(stretch.from);
        while hour < stretch.to {
            hours.insert((stretch.machine, hour));
            hour = hour.saturating_add(Duration::HOUR);
        }
        store::mark_dirty(db, stretch.branch, &hours, now).await?;
    }
    Ok(())
}

/// What is erased between two moments.
pub async fn spans(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> sqlx::Result<Vec<Span>> {
    let rows = query!(
        r#"SELECT floor(extract(epoch FROM from_at) * 1000)::bigint AS "from!",
                  ceil(extract(epoch FROM to_at) * 1000)::bigint AS "to!"
           FROM heart_erasures WHERE machine_id = $1 AND from_at < $3 AND to_at > $2"#,
        machine.0,
        from,
        to,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.from, row.to)).collect())
}

fn is_in(spans: &[Span], at_ms: i64) -> bool {
    spans.iter().any(|(from, to)| (*from..*to).contains(&at_ms))
}

/// Takes heart rates out of samples.
pub fn erase(samples: &mut [Taken], spans: &[Span]) {
    for taken in samples.iter_mut().filter(|taken| is_in(spans, taken.at_ms)) {
        taken.sample.fields.clear(Field::HeartRateBpm);
    }
}

/// Writes those chunks anew that have heart rates which are erased.
pub async fn rewrite(
    db: &mut PgConnection,
    machine: DeviceId,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<()> {
    let spans = spans(db, machine, from, to).await?;
    if spans.is_empty() {
        return Ok(());
    }
    for chunk in store::hold_between(db, machine, from, to).await? {
        let clean = without(&chunk.columns, chunk.offset_ms, &spans);
        if let Some(clean) = clean.context("a stored chunk is damaged")? {
            store::set_columns(db, &chunk.key, &clean).await?;
        }
    }
    Ok(())
}

/// The same samples without erased heart rates; none if there were none.
fn without(
    block: &[u8],
    offset_ms: i64,
    spans: &[Span],
) -> Result<Option<Vec<u8>>, columns::ColumnsError> {
    let mut samples = columns::decode(block)?;
    let mut has_changed = false;
    let concerned = |timed: &TimedSample| {
        timed.sample.fields.scaled(Field::HeartRateBpm).is_some()
            && is_in(spans, taken_ms(timed, offset_ms))
    };
    for timed in &mut samples {
        if concerned(timed) {
            timed.sample.fields.clear(Field::HeartRateBpm);
            has_changed = true;
        }
    }
    Ok(has_changed.then(|| columns::encode(&samples)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::machine::Sample;

    #[test]
    fn only_heart_rates_of_the_stretch_go_and_nothing_else_changes() {
        let sample = |mono_ms: u64| {
            let mut sample = Sample { seq: mono_ms, ..Sample::default() };
            sample.fields.set_scaled(Field::HeartRateBpm, 120);
            sample.fields.set_scaled(Field::PowerW, 1_500);
            TimedSample { source: 0, mono_ms, sample }
        };
        let samples: Vec<_> = (0..10).map(|n| sample(n * 1_000)).collect();

        let clean = without(&columns::encode(&samples), 500, &[(2_500, 4_500)]).unwrap().unwrap();

        let left = columns::decode(&clean).unwrap();
        let rates: Vec<_> = left
            .iter()
            .map(|timed| timed.sample.fields.scaled(Field::HeartRateBpm).is_some())
            .collect();
        assert_eq!(rates, [true, true, false, false, true, true, true, true, true, true]);
        assert!(left.iter().all(|timed| timed.sample.fields.scaled(Field::PowerW) == Some(1_500)));
        assert_eq!(without(&clean, 500, &[(2_500, 4_500)]).unwrap(), None);
    }
}
