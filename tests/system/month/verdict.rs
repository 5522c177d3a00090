//! Whether everything came out right: the cloud against the edge's own journal, against what members did, and against the
//! rules folded anew.

use super::hall::{Hall, code};
use super::model::{Model, Span, spoken};
use super::power::Computer;
use super::script::Scale;
use anyhow::{Context as _, Result, ensure};
use protocol::machine::columns;
use protocol::rules::State;
use protocol::sync::entry::{Body, Event};
use rusqlite::{Connection, OpenFlags};
use sqlx::{PgPool, Row as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;
use tests::{floor_oracle, wait};
use uuid::Uuid;

const MINUTE_MS: i64 = 60_000;
/// Nobody can know for how long the power was off, nor what was lost with it: what was dated over a power cut may be off by
/// this much for each.
const CUT_MS: i64 = 3 * MINUTE_MS;
/// A learnt time may be off by a round trip on a busy computer, and by the start of the agent.
const LEARNT_MS: i64 = MINUTE_MS;
/// What ends by itself within so many minutes after the month may have ended or not.
const AFTERWARDS_MIN: u32 = 30;

/// Kind and place of an entry.
type Place = (&'static str, i64, i64);

/// What the edge knew when the cloud came back.
pub struct Truth {
    places: BTreeSet<Place>,
    state: State,
    boot: u64,
    end_min: u32,
    end_mono_ms: i64,
    cuts: Vec<u32>,
}

impl Truth {
    /// Reads an agent's files while it does not run.
    pub fn read(state: &Path, computer: &Computer, end_min: u32) -> Result<Self> {
        let path = state.join("journal.db");
        let journal = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut places = BTreeSet::new();
        let mut statement =
            journal.prepare("SELECT epoch, seq, payload FROM entries WHERE class = 1")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let payload: Vec<u8> = row.get(2)?;
            let kind = match Event::decode(&payload)?.body {
                Body::Tap(_) => "tap",
                Body::Decision(_) => "decision",
                Body::Set(_) => "set",
                Body::Deed(_) => "deed",
                _ => continue,
            };
            places.insert((kind, row.get(0)?, row.get(1)?));
        }
        let floor = floor_oracle::at_edge(state)?;
        let (boot, end_mono_ms) = (computer.boot(), computer.mono_ms(end_min));
        let cuts = computer.cuts.clone();
        Ok(Self { places, state: floor, boot, end_min, end_mono_ms, cuts })
    }
}

/// Waits until the cloud has dated and folded everything.
pub async fn settled(db: &PgPool, limit: Duration) -> Result<()> {
    let is_open = "SELECT EXISTS (SELECT FROM facts WHERE NOT is_folded)
                       OR EXISTS (SELECT FROM taps WHERE NOT is_dated)
                       OR EXISTS (SELECT FROM telemetry_chunks WHERE NOT is_dated)
                       OR EXISTS (SELECT FROM jobs WHERE kind = 'telemetry.redate')";
    wait::until_true_at_last("everything is dated and folded", limit, || async {
        Ok(!sqlx::query_scalar::<_, bool>(is_open).fetch_one(db).await?)
    })
    .await
}

/// What is compared.
pub struct Verdict<'a> {
    db: &'a PgPool,
    truth: &'a Truth,
    /// At the end of the month, and somewhat later.
    models: [&'a Model; 2],
    /// Unix milliseconds of the end of the month, as the cloud has it.
    end_ms: i64,
}

impl<'a> Verdict<'a> {
    /// Compares everything.
    pub async fn of(
        db: &'a PgPool,
        truth: &'a Truth,
        model: &'a Model,
        hall: &Hall,
        scale: Scale,
    ) -> Result<()> {
        let mut later = model.clone();
        later.pass(truth.end_min + AFTERWARDS_MIN);
        let offset = "SELECT offset_ms FROM edge_boots WHERE boot = $1";
        let offset_ms: i64 =
            sqlx::query_scalar(offset).bind(truth.boot.cast_signed()).fetch_one(db).await?;
        let end_ms = offset_ms + truth.end_mono_ms;
        let verdict = Verdict { db, truth, models: [model, &later], end_ms };
        verdict.entries().await.context("entries")?;
        verdict.answers().await.context("answers")?;
        verdict.spans().await.context("stays and links")?;
        verdict.floor().await.context("the floor")?;
        verdict.sets().await.context("sets")?;
        samples(db, hall, scale).await.context("samples")?;
        floor_oracle::check(db).await.context("folded anew")
    }

    /// Every fact of the journal is in the cloud, and nothing else.
    async fn entries(&self) -> Result<()> {
        let all = "SELECT 'tap' AS kind, epoch, seq FROM taps
                   UNION ALL SELECT 'decision', epoch, seq FROM decisions
                   UNION ALL SELECT 'set', epoch, seq FROM finished_sets
                   UNION ALL SELECT 'deed', epoch, seq FROM facts
                   WHERE kind IN ('check_in', 'check_out', 'link', 'unlink')";
        let mut found = BTreeSet::new();
        for row in sqlx::query(all).fetch_all(self.db).await? {
            let kind = match row.try_get("kind")? {
                "tap" => "tap",
                "decision" => "decision",
                "set" => "set",
                _ => "deed",
            };
            found.insert((kind, row.try_get("epoch")?, row.try_get("seq")?));
        }
        let missing: Vec<_> = self.truth.places.difference(&found).take(5).collect();
        let more: Vec<_> = found.difference(&self.truth.places).take(5).collect();
        ensure!(missing.is_empty() && more.is_empty(), "missing {missing:?}, too many {more:?}");
        for (table, count) in [("ingest_rejects", 0), ("set_aside", 0)] {
            let sql = format!("SELECT count(*) FROM {table}");
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(self.db).await?;
            ensure!(rows == count, "{rows} rows of {table}");
        }
        Ok(())
    }

    /// Every tap is there once and was answered as it should.
    async fn answers(&self) -> Result<()> {
        let wanted = &self.models[0].answers;
        let taps: Vec<Uuid> =
            sqlx::query_scalar("SELECT tap_id FROM taps").fetch_all(self.db).await?;
        let lost = wanted.len() - taps.iter().filter(|tap| wanted.contains_key(*tap)).count();
        ensure!(lost == 0 && taps.len() == wanted.len(), "{lost} taps of {} lost", wanted.len());
        let decisions = "SELECT tap_id, action, reason FROM decisions";
        let mut decided = 0;
        for row in sqlx::query(decisions).fetch_all(self.db).await? {
            let tap: Uuid = row.try_get("tap_id")?;
            let answer: (&str, &str) = (row.try_get("action")?, row.try_get("reason")?);
            ensure!(wanted.get(&tap) == Some(&answer), "{tap} {answer:?}: {:?}", wanted.get(&tap));
            decided += 1;
        }
        ensure!(decided == wanted.len(), "{decided} decisions about {} taps", wanted.len());
        Ok(())
    }

    async fn spans(&self) -> Result<()> {
        let stored = floor_oracle::stored(self.db).await?;
        let members = self.members().await?;
        let stays = by_member(&members, stored.sessions.values());
        let wanted = |model: &Model| -> BTreeMap<u32, Vec<Span>> { model.stays.clone() };
        self.compare(&stays, &self.models.map(wanted)).context("stays")?;
        let links = by_member(&members, stored.links.values());
        let wanted = |model: &Model| -> BTreeMap<u32, Vec<Span>> {
            let each = model.links.iter();
            each.map(|(member, links)| {
                (*member, links.iter().map(|(_, span)| span.clone()).collect())
            })
            .collect()
        };
        self.compare(&links, &self.models.map(wanted)).context("links")
    }

    fn compare(
        &self,
        found: &BTreeMap<u32, Vec<&floor_oracle::Row>>,
        wanted: &[BTreeMap<u32, Vec<Span>>; 2],
    ) -> Result<()> {
        ensure!(
            found.len() == wanted[0].len(),
            "of {} and not {} members",
            found.len(),
            wanted[0].len()
        );
        for (member, spans) in found {
            let [at_end, later] =
                [0, 1].map(|at| wanted[at].get(member).map_or(&[][..], Vec::as_slice));
            let fits = spans.len() == at_end.len()
                && spans.iter().zip(at_end).zip(later).all(|((found, at_end), later)| {
                    self.fits(found, at_end) || self.fits(found, later)
                });
            let wanted: Vec<_> = at_end.iter().map(|span| (spoken(span.from_min), span)).collect();
            let found: Vec<_> = spans
                .iter()
                .map(|(_, from_ms, end)| {
                    let minute = |ms: i64| (self.end_ms - ms) / MINUTE_MS;
                    (minute(*from_ms), end.as_ref().map(|(ms, why)| (minute(*ms), why)))
                })
                .collect();
            ensure!(
                fits,
                "member {member}: wanted {wanted:?}, found (minutes before the end) {found:?}, end {}",
                self.truth.end_min
            );
        }
        Ok(())
    }

    fn fits(&self, (_, from_ms, end): &floor_oracle::Row, wanted: &Span) -> bool {
        let is_near =
            |ms: i64, minute: u32| (ms - self.at_ms(minute)).abs() <= self.slack_ms(minute);
        let lasts = end.as_ref().zip(wanted.end).is_none_or(|((until_ms, _), (until_min, _))| {
            let cuts = self.cuts_between(wanted.from_min, until_min);
            let wanted_ms = i64::from(until_min - wanted.from_min) * MINUTE_MS;
            // Within one start of the computer its clock is exact.
            (until_ms - from_ms - wanted_ms).abs() <= cuts * CUT_MS
        });
        let ends = match (end, wanted.end) {
            (None, None) => true,
            (Some((until_ms, why)), Some((until_min, wanted_why))) => {
                why == wanted_why && is_near(*until_ms, until_min)
            }
            _ => false,
        };
        lasts && ends && is_near(*from_ms, wanted.from_min)
    }

    fn at_ms(&self, minute: u32) -> i64 {
        self.end_ms - (i64::from(self.truth.end_min) - i64::from(minute)) * MINUTE_MS
    }

    fn slack_ms(&self, minute: u32) -> i64 {
        LEARNT_MS + self.cuts_between(minute, self.truth.end_min) * CUT_MS
    }

    fn cuts_between(&self, from_min: u32, until_min: u32) -> i64 {
        let cuts = self.truth.cuts.iter().filter(|cut| (from_min..=until_min).contains(*cut));
        i64::try_from(cuts.count()).unwrap_or(i64::MAX)
    }

    /// Who is inside at the branch is inside in the cloud, under the same ids.
    async fn floor(&self) -> Result<()> {
        let stored = floor_oracle::stored(self.db).await?;
        for (member, session) in self.truth.state.sessions() {
            let row = stored.sessions.get(&session.id.0);
            ensure!(row.is_some_and(|row| row.0 == member.0), "{session:?}: {row:?}");
        }
        for (id, machine) in self.truth.state.machines() {
            let Some(link) = &machine.link else { continue };
            let row = stored.links.get(&link.id.0);
            ensure!(row.is_some_and(|row| row.0 == link.member.0), "{id} {link:?}: {row:?}");
        }
        let inside: BTreeSet<u32> = self.inside().collect();
        let members = self.members().await?;
        let found = self.truth.state.sessions().filter_map(|(id, _)| members.get(&id.0).copied());
        let found: BTreeSet<u32> = found.collect();
        ensure!(found == inside, "inside are {found:?} and not {inside:?}");
        ensure!(!inside.is_empty(), "nobody is inside");
        Ok(())
    }

    fn inside(&self) -> impl Iterator<Item = u32> {
        let stays = self.models[0].stays.iter();
        let is_open = |stays: &[Span]| stays.last().is_some_and(|stay| stay.end.is_none());
        stays.filter(move |(_, stays)| is_open(stays)).map(|(member, _)| *member)
    }

    async fn sets(&self) -> Result<()> {
        let members = self.members().await?;
        let rows = sqlx::query("SELECT set_id, member_id FROM finished_sets").fetch_all(self.db);
        let mut found = BTreeMap::new();
        for row in rows.await? {
            let owner: Option<Uuid> = row.try_get("member_id")?;
            let owner = owner.and_then(|owner| members.get(&owner).copied());
            found.insert(row.try_get::<Uuid, _>("set_id")?, owner);
        }
        let wanted = &self.models[0].sets;
        let wrong = wanted.iter().find(|(set, owner)| found.get(*set) != Some(*owner));
        ensure!(wrong.is_none(), "{wrong:?}");
        ensure!(found.len() == wanted.len(), "{} sets and not {}", found.len(), wanted.len());
        Ok(())
    }

    /// Which member of the script has which id.
    async fn members(&self) -> Result<HashMap<Uuid, u32>> {
        let rows = sqlx::query("SELECT id, display_name FROM members").fetch_all(self.db).await?;
        let named = |row: &sqlx::postgres::PgRow| {
            let name: String = row.try_get("display_name")?;
            let number = name.strip_prefix("Member ").context("another member")?.parse()?;
            Ok((row.try_get("id")?, number))
        };
        rows.iter().map(named).collect()
    }
}

fn by_member<'a>(
    members: &HashMap<Uuid, u32>,
    rows: impl Iterator<Item = &'a floor_oracle::Row>,
) -> BTreeMap<u32, Vec<&'a floor_oracle::Row>> {
    let mut all: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for row in rows {
        let member = members.get(&row.0).copied().unwrap_or(u32::MAX);
        all.entry(member).or_default().push(row);
    }
    for rows in all.values_mut() {
        rows.sort_by_key(|row| row.1);
    }
    all
}

/// Every sample that was acked is there once, or told to be missing.
async fn samples(db: &PgPool, hall: &Hall, scale: Scale) -> Result<()> {
    let mut stored = 0;
    for machine in 0..scale.machines {
        let chunks = "SELECT columns FROM telemetry_chunks JOIN devices ON devices.id = machine_id
                      WHERE code = $1";
        let chunks: Vec<Vec<u8>> =
            sqlx::query_scalar(chunks).bind(code(machine)).fetch_all(db).await?;
        let mut seqs = Vec::new();
        for chunk in chunks {
            seqs.extend(columns::decode(&chunk)?.iter().map(|timed| timed.sample.seq));
        }
        let count = seqs.len();
        seqs.sort_unstable();
        seqs.dedup();
        ensure!(
            seqs.len() == count,
            "{} samples of {} are doubled",
            count - seqs.len(),
            code(machine)
        );
        ensure!(seqs.last().is_none_or(|last| *last <= hall.samples), "a sample was invented");
        stored += count as u64;
    }
    let gaps = "SELECT coalesce(sum(count), 0)::bigint FROM gaps WHERE stream = 'telemetry'";
    let told: i64 = sqlx::query_scalar(gaps).fetch_one(db).await?;
    let acked = hall.samples * u64::from(scale.machines);
    super::say(&format!("of {acked} samples {stored} are stored and {told} told as missing"));
    ensure!(stored + told.cast_unsigned() == acked, "{stored} + {told} are not {acked}");
    Ok(())
}
