//! Names of all members, for the search: read from `branch.db` in short pieces when somebody searches and something has
//! changed, so that a search never holds what taps need.

use crate::ops::clock::Clock;
use crate::registry::Registry;
use anyhow::Result;
use protocol::ids::MemberId;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Even if nothing seems to have changed.
const MAX_AGE_MS: u64 = 60_000;
/// While somebody types, one reading is enough.
const MIN_AGE_MS: u64 = 2_000;

/// The names, read when they are needed.
#[derive(Default)]
pub struct Index(Mutex<Option<Read>>);

struct Read {
    change: u64,
    at_mono_ms: u64,
    people: Arc<People>,
}

/// Everybody, by name.
#[derive(Default)]
pub struct People(Vec<Entry>);

struct Entry {
    id: MemberId,
    number: u64,
    name: Box<str>,
    folded: Box<str>,
}

impl Index {
    /// The names as they are now, or were two seconds ago.
    pub async fn current(&self, registry: &Registry, clock: &Clock) -> Result<Arc<People>> {
        let mut read = self.0.lock().await;
        let (change, now_ms) = (*registry.changed().borrow(), clock.mono_ms());
        if let Some(known) = read.as_ref() {
            let age_ms = now_ms.saturating_sub(known.at_mono_ms);
            if age_ms < MIN_AGE_MS || (age_ms < MAX_AGE_MS && known.change == change) {
                return Ok(Arc::clone(&known.people));
            }
        }
        let people = Arc::new(People::of(registry.member_names().await?));
        *read = Some(Read { change, at_mono_ms: now_ms, people: Arc::clone(&people) });
        Ok(people)
    }
}

impl People {
    fn of(names: Vec<(MemberId, u64, String)>) -> Self {
        let entries = names.into_iter().map(|(id, number, name)| Entry {
            id,
            number,
            folded: folded(&name).into(),
            name: name.into(),
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by(|one, other| {
            (&one.folded, one.number).cmp(&(&other.folded, other.number))
        });
        Self(entries)
    }

    /// Whose name has all words of the query in it, or whose number it is.
    pub fn find(&self, query: &str, count: usize) -> Vec<(MemberId, u64, String)> {
        let query = folded(query);
        let words: Vec<_> = query.split_whitespace().collect();
        let number: Option<u64> = query.parse().ok();
        let fits = |entry: &&Entry| {
            number.is_some_and(|number| entry.number == number)
                || words.iter().all(|word| entry.folded.contains(word))
        };
        let shown = |entry: &Entry| (entry.id, entry.number, entry.name.to_string());
        self.0.iter().filter(fits).take(count).map(shown).collect()
    }
}

/// Lower case, and the most common letters without their marks: who types "jose" finds "José".
fn folded(text: &str) -> String {
    let plain = |letter: char| match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' => 's',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    };
    text.to_lowercase().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn people() -> People {
        let names = ["José Ångström", "Ada Lovelace", "Adam Ant", "Zoë"];
        let entries = (1u64..).zip(names);
        let of = |(number, name): (u64, &str)| {
            (MemberId(Uuid::from_u64_pair(0, number)), number, name.to_owned())
        };
        People::of(entries.map(of).collect())
    }

    fn found(query: &str) -> Vec<String> {
        people().find(query, 10).into_iter().map(|(_, _, name)| name).collect()
    }

    #[test]
    fn a_member_is_found_by_parts_of_the_name_and_by_number() {
        assert_eq!(found("ada"), ["Ada Lovelace", "Adam Ant"]);
        assert_eq!(found("love AD"), ["Ada Lovelace"]);
        assert_eq!(found("jose angstrom"), ["José Ångström"]);
        assert_eq!(found("4"), ["Zoë"]);
        assert_eq!(found("nobody"), Vec::<String>::new());
        assert_eq!(people().find("a", 1).len(), 1);
    }
}
