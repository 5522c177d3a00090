//! The oracle: what clients have sent and got acks for, against what the cloud's database holds, id by id.

use anyhow::{Context as _, Result};
use protocol::credential::StoredCredential;
use protocol::machine::columns;
use sqlx::{PgPool, Row as _};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// Identifies a sample or a set: devices number both together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// Code of the device.
    pub device: String,
    /// Random number of its boot.
    pub boot: u32,
    /// Its number.
    pub seq: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:08x}/{}", self.device, self.boot, self.seq)
    }
}

/// Numbers per device and boot, each with how often it occurs.
type Numbers = HashMap<(String, u32), BTreeMap<u64, u32>>;

/// Many ids.
#[derive(Debug, Clone, Default)]
pub struct Ids(Numbers);

impl Ids {
    /// Adds one.
    pub fn add(&mut self, device: &str, boot: u32, seq: u64) {
        let key = (device.to_owned(), boot);
        *self.0.entry(key).or_default().entry(seq).or_default() += 1;
    }

    /// Adds all of others.
    pub fn merge(&mut self, others: Self) {
        for (key, numbers) in others.0 {
            let own = self.0.entry(key).or_default();
            for (seq, times) in numbers {
                *own.entry(seq).or_default() += times;
            }
        }
    }

    /// Takes out those of a device.
    #[must_use]
    pub fn take_out(&mut self, device: &str) -> Self {
        Self(self.0.extract_if(|(code, _), _| code == device).collect())
    }

    /// How many occur more than once.
    pub fn doubled(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).filter(|times| **times > 1).count()
    }

    /// How many numbers between the first and the last of a boot do not occur; the first one is 1.
    pub fn skipped(&self) -> u64 {
        let skipped = |numbers: &BTreeMap<u64, u32>| {
            let last = numbers.keys().next_back().copied().unwrap_or(0);
            last.saturating_sub(numbers.len() as u64)
        };
        self.0.values().map(skipped).sum()
    }

    /// How many different ones.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn times(&self, key: &(String, u32), seq: u64) -> u32 {
        self.0.get(key).and_then(|numbers| numbers.get(&seq)).copied().unwrap_or(0)
    }

    /// Those that others lack.
    pub fn missing_in(&self, others: &Self) -> Vec<Id> {
        self.select(|key, seq, _| others.times(key, seq) == 0)
    }

    fn select(&self, mut wanted: impl FnMut(&(String, u32), u64, u32) -> bool) -> Vec<Id> {
        let mut ids = Vec::new();
        for (key, numbers) in &self.0 {
            for (&seq, &times) in numbers {
                if wanted(key, seq, times) {
                    ids.push(Id { device: key.0.clone(), boot: key.1, seq });
                }
            }
        }
        ids.sort();
        ids
    }
}

/// What clients know.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Published at least once.
    pub sent: Ids,
    /// Acked.
    pub acked: Ids,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Acked, but not in the database.
    pub missing: Vec<Id>,
    /// In the database more than once.
    pub doubled: Vec<Id>,
    /// In the database, though nobody sent it.
    pub invented: Vec<Id>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty() && self.doubled.is_empty() && self.invented.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, ids) in
            [("missing", &self.missing), ("doubled", &self.doubled), ("invented", &self.invented)]
        {
            let some: Vec<String> = ids.iter().take(10).map(Id::to_string).collect();
            writeln!(f, "{what}: {} {}", ids.len(), some.join(" "))?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Compares with what is stored.
    pub fn judge(&self, stored: &Ids) -> Verdict {
        Verdict {
            missing: self.acked.select(|key, seq, _| stored.times(key, seq) == 0),
            doubled: stored.select(|_, _, times| times > 1),
            invented: stored.select(|key, seq, _| self.sent.times(key, seq) == 0),
        }
    }
}

/// All samples and sets in the cloud's database, and the taps that [`crate::load`] made.
pub async fn stored(db: &PgPool) -> Result<Ids> {
    let mut ids = samples(db).await?;
    ids.merge(sets(db).await?);
    ids.merge(taps(db).await?);
    Ok(ids)
}

/// All samples in the cloud's database.
pub async fn samples(db: &PgPool) -> Result<Ids> {
    let chunks = sqlx::query(
        "SELECT devices.code, telemetry_chunks.columns
         FROM telemetry_chunks JOIN devices ON devices.id = telemetry_chunks.machine_id",
    )
    .fetch_all(db)
    .await?;
    let mut ids = Ids::default();
    for chunk in chunks {
        let code: String = chunk.try_get("code")?;
        for timed in columns::decode(chunk.try_get("columns")?).context("a chunk is unreadable")? {
            ids.add(&code, timed.sample.boot.unwrap_or(0), timed.sample.seq);
        }
    }
    Ok(ids)
}

/// All codes that were presented and are in the cloud's database, each with how often.
pub async fn presented(db: &PgPool) -> Result<BTreeMap<String, u32>> {
    let mut codes = BTreeMap::new();
    for (_, code) in shown(db).await? {
        *codes.entry(code).or_default() += 1;
    }
    Ok(codes)
}

async fn taps(db: &PgPool) -> Result<Ids> {
    let mut ids = Ids::default();
    for (reader, code) in shown(db).await? {
        let mut parts = code.strip_prefix("tap-").into_iter().flat_map(|rest| rest.split('-'));
        if let (Some(boot), Some(seq)) = (parts.next(), parts.next()) {
            ids.add(&reader, boot.parse()?, seq.parse()?);
        }
    }
    Ok(ids)
}

/// Hashes of all cards that were presented and are in the cloud's database, each with how often.
pub async fn cards(db: &PgPool) -> Result<BTreeMap<[u8; 32], u32>> {
    let mut cards = BTreeMap::new();
    for (_, credential) in credentials(db).await? {
        if let StoredCredential::NfcUid { uid_hash } = credential {
            *cards.entry(uid_hash).or_default() += 1;
        }
    }
    Ok(cards)
}

/// Reader and code of every tap with a code.
async fn shown(db: &PgPool) -> Result<Vec<(String, String)>> {
    let mut shown = Vec::new();
    for (reader, credential) in credentials(db).await? {
        if let StoredCredential::Qr { code } = credential {
            shown.push((reader, code));
        }
    }
    Ok(shown)
}

/// Reader and credential of every tap in the cloud's database.
pub async fn credentials(db: &PgPool) -> Result<Vec<(String, StoredCredential)>> {
    let taps = sqlx::query(
        "SELECT devices.code, credential FROM taps JOIN devices ON devices.id = taps.device_id",
    )
    .fetch_all(db)
    .await?;
    let mut credentials = Vec::new();
    for tap in taps {
        let packed: Vec<u8> = tap.try_get("credential")?;
        let (_version, packed) = packed.split_first().context("a credential is empty")?;
        credentials.push((tap.try_get("code")?, postcard::from_bytes(packed)?));
    }
    Ok(credentials)
}

/// All sets in the cloud's database that belong to a member.
pub async fn sets_of_members(db: &PgPool) -> Result<Ids> {
    sets_where(db, true).await
}

async fn sets(db: &PgPool) -> Result<Ids> {
    sets_where(db, false).await
}

async fn sets_where(db: &PgPool, of_members: bool) -> Result<Ids> {
    let sets = sqlx::query(
        "SELECT devices.code, device_boot, device_seq
         FROM finished_sets JOIN devices ON devices.id = finished_sets.device_id
         WHERE NOT $1 OR member_id IS NOT NULL",
    )
    .bind(of_members)
    .fetch_all(db)
    .await?;
    let mut ids = Ids::default();
    for set in sets {
        let boot: Option<i64> = set.try_get("device_boot")?;
        let seq: i64 = set.try_get("device_seq")?;
        let boot = u32::try_from(boot.unwrap_or(0)).context("a boot is a u32")?;
        ids.add(set.try_get("code")?, boot, seq.cast_unsigned());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(seqs: &[u64]) -> Ids {
        let mut ids = Ids::default();
        for seq in seqs {
            ids.add("bike-1", 7, *seq);
        }
        ids
    }

    #[test]
    fn an_ack_that_is_not_stored_is_missing_and_what_is_stored_twice_is_doubled() {
        let ledger = Ledger { sent: ids(&[1, 2, 3]), acked: ids(&[1, 2]) };

        let verdict = ledger.judge(&ids(&[1, 1, 3, 4]));

        let seqs = |ids: &[Id]| ids.iter().map(|id| id.seq).collect::<Vec<_>>();
        assert_eq!(seqs(&verdict.missing), [2]);
        assert_eq!(seqs(&verdict.doubled), [1]);
        assert_eq!(seqs(&verdict.invented), [4]);
    }

    #[test]
    fn what_was_sent_without_an_ack_may_be_stored_or_not() {
        let ledger = Ledger { sent: ids(&[1, 2]), acked: ids(&[1]) };

        assert!(ledger.judge(&ids(&[1])).is_clean());
        assert!(ledger.judge(&ids(&[1, 2])).is_clean());
    }
}
