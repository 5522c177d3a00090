//! What was read of users, remembered until the bus tells that it changed. Triggers of the database tell it, whoever
//! changes it; while the bus is not heard, nothing is remembered and everybody looks into the tables.

use super::{Bus, Signal};
use crate::ids::UserId;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values of users, by a key that tells a user's several values apart.
#[derive(Debug)]
pub struct Remembered<K, V> {
    state: Mutex<State<K, V>>,
    max_users: usize,
}

#[derive(Debug)]
struct State<K, V> {
    known: HashMap<UserId, Vec<(K, V)>>,
    /// Counts what was forgotten, so that what was read before is not remembered after.
    generation: u64,
}

impl<K: PartialEq, V: Clone> Remembered<K, V> {
    /// Remembers of so many users; of none, it always reads.
    pub fn new(max_users: usize) -> Self {
        let state = State { known: HashMap::new(), generation: 0 };
        Self { state: Mutex::new(state), max_users }
    }

    /// What is remembered and still good, or what `read` finds.
    pub async fn find<E, R: Future<Output = Result<Option<V>, E>>>(
        &self,
        bus: &Bus,
        (user, key): (UserId, K),
        is_good: impl Fn(&V) -> bool,
        read: impl FnOnce() -> R,
    ) -> Result<Option<V>, E> {
        let is_told = self.max_users > 0 && bus.is_heard();
        if is_told && let Some(known) = self.known(user, &key).filter(is_good) {
            return Ok(Some(known));
        }
        let generation = self.lock().generation;
        // Seldom needed and large: every request would carry it along.
        let found = Box::pin(read()).await?;
        if is_told && let Some(found) = &found {
            self.remember(user, key, found, generation);
        }
        Ok(found)
    }

    /// Takes in what the bus tells.
    pub fn hear(&self, signal: Signal) {
        match signal {
            Signal::User(user) => self.forget(user),
            Signal::Any => {
                let mut state = self.lock();
                state.generation += 1;
                state.known.clear();
            }
            _ => {}
        }
    }

    /// Somebody has changed; the next request looks.
    pub fn forget(&self, user: UserId) {
        let mut state = self.lock();
        state.generation += 1;
        state.known.remove(&user);
    }

    fn known(&self, user: UserId, key: &K) -> Option<V> {
        let state = self.lock();
        let values = state.known.get(&user)?;
        values.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    fn remember(&self, user: UserId, key: K, found: &V, generation: u64) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        if state.known.len() >= self.max_users && !state.known.contains_key(&user) {
            state.known.clear();
        }
        let values = state.known.entry(user).or_default();
        values.retain(|(known, _)| *known != key);
        if values.len() >= MAX_VALUES {
            values.remove(0);
        }
        values.push((key, found.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of one user; nobody uses more devices at the same time.
const MAX_VALUES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Reads the next number each time.
    struct Table(Cell<u32>);

    impl Table {
        fn next(&self) -> u32 {
            self.0.set(self.0.get() + 1);
            self.0.get()
        }

        async fn find(&self, values: &Remembered<u8, u32>, bus: &Bus, user: UserId) -> u32 {
            let read = async || Ok::<_, ()>(Some(self.next()));
            values.find(bus, (user, 0), |_| true, read).await.unwrap().unwrap()
        }
    }

    fn heard() -> Bus {
        let bus = Bus::default();
        bus.count_as_heard();
        bus
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_read_once_until_it_is_forgotten() {
        let (bus, table, values) = (heard(), Table(Cell::new(0)), Remembered::new(10));
        let (ada, bob) = (UserId::new(), UserId::new());

        assert_eq!(table.find(&values, &bus, ada).await, 1);
        assert_eq!(table.find(&values, &bus, bob).await, 2);
        assert_eq!(table.find(&values, &bus, ada).await, 1);
        values.hear(Signal::User(ada));

        assert_eq!(table.find(&values, &bus, ada).await, 3);
        assert_eq!(table.find(&values, &bus, bob).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_bus_is_not_heard_and_where_nothing_may_be_kept_everything_is_read() {
        let (table, ada) = (Table(Cell::new(0)), UserId::new());
        let (values, none) = (Remembered::new(10), Remembered::new(0));

        for (values, bus) in [(&values, Bus::default()), (&none, heard())] {
            let first = table.find(values, &bus, ada).await;
            assert_eq!(table.find(values, &bus, ada).await, first + 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_before_it_changed_is_not_remembered() {
        let (bus, table, values) = (heard(), Table(Cell::new(0)), Remembered::new(10));
        let ada = UserId::new();
        let changed_meanwhile = async || {
            let read = table.next();
            values.forget(ada);
            Ok::<_, ()>(Some(read))
        };

        let old = values.find(&bus, (ada, 0), |_| true, changed_meanwhile).await.unwrap();

        assert_eq!((old, table.find(&values, &bus, ada).await), (Some(1), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn neither_many_users_nor_many_values_of_one_are_kept() {
        let (bus, values) = (heard(), Remembered::new(3));
        let read = async || Ok::<_, ()>(Some(1));
        for _ in 0..10 {
            values.find(&bus, (UserId::new(), 0), |_| true, read).await.unwrap();
        }
        let ada = UserId::new();
        for key in 0..100 {
            values.find(&bus, (ada, key), |_| true, read).await.unwrap();
        }

        let state = values.lock();
        assert!(state.known.len() <= 3);
        assert_eq!(state.known[&ada].len(), MAX_VALUES);
    }
}
