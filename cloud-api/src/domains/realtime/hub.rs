//! All who listen at this instance, by what they hear. In shards, so that somebody can come or go while an event is told to
//! thousands; each shard hears all events in their order, and knows up to which.

use super::client::{Client, End};
use super::frame::Frame;
use super::topic::Topic;
use crate::config;
use crate::ids::UserId;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

/// One after the other is asked whether its clients are there.
pub const SHARDS: usize = SHARDS_U32 as usize;
pub const SHARDS_U32: u32 = 30;

const TURNS: usize = 4;

/// All who listen here.
#[derive(Debug)]
pub struct Hub {
    shards: [Mutex<Shard>; SHARDS],
    users: Mutex<HashMap<UserId, Vec<Arc<Client>>>>,
    last_number: AtomicU64,
    /// Those whose token is not known yet included.
    open: AtomicUsize,
    /// Whether the log is followed.
    is_following: watch::Sender<bool>,
    pub limits: config::Realtime,
    /// So many read from the database at once: thousands who come back together leave connections for others.
    pub turns: Semaphore,
    /// Connections that are not those of requests any more.
    pub tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Shard {
    /// The event that was told here last.
    position: i64,
    clients: HashMap<u64, Arc<Client>>,
    topics: HashMap<Topic, Vec<Arc<Client>>>,
}

/// A place among the connections of this process.
#[derive(Debug)]
pub struct Place(Arc<Hub>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("realtime_connections").decrement(1);
    }
}

impl Hub {
    pub fn new(limits: config::Realtime) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            users: Mutex::default(),
            last_number: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            is_following: watch::Sender::new(false),
            limits,
            turns: Semaphore::new(TURNS),
            tasks: TaskTracker::new(),
        }
    }

    /// A place for one more connection; `None` if there is none.
    pub fn place(self: &Arc<Self>) -> Option<Place> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("realtime_connections").increment(1);
        let place = Place(Arc::clone(self));
        (taken < self.limits.max_connections).then_some(place)
    }

    pub fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets somebody listen; `false` if their user has as many connections as one may have.
    pub fn enter(&self, client: &Arc<Client>) -> bool {
        {
            let mut users = self.users();
            let own = users.entry(client.who().caller.user).or_default();
            if own.len() >= self.limits.max_connections_per_user {
                return false;
            }
            own.push(Arc::clone(client));
        }
        self.shard(client).clients.insert(client.number, Arc::clone(client));
        true
    }

    /// They listen no more.
    pub fn leave(&self, client: &Client) {
        {
            let mut shard = self.shard(client);
            shard.clients.remove(&client.number);
            shard.remove(client, &client.topics());
        }
        let user = client.who().caller.user;
        let mut users = self.users();
        if let Some(own) = users.get_mut(&user) {
            own.retain(|other| other.number != client.number);
            if own.is_empty() {
                users.remove(&user);
            }
        }
    }

    /// From now on they hear these topics; the event after which that begins.
    pub fn subscribe(&self, client: &Arc<Client>, topics: &[Topic]) -> i64 {
        let mut shard = self.shard(client);
        client.heard_from(topics, shard.position);
        for topic in topics {
            shard.topics.entry(*topic).or_default().push(Arc::clone(client));
        }
        shard.position
    }

    pub fn unsubscribe(&self, client: &Client, topics: &[Topic]) {
        self.shard(client).remove(client, topics);
        client.forget_topics(topics);
    }

    /// Tells an event to all who hear one of the topics.
    pub async fn publish(&self, topics: &[Topic], frame: &Arc<Frame>) {
        for shard in &self.shards {
            let has_told = {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.position = shard.position.max(frame.id);
                shard.tell(topics, frame)
            };
            if has_told {
                // Others are not to wait for all of them.
                tokio::task::yield_now().await;
            }
        }
    }

    /// The log is read from an event on.
    pub fn begin(&self, position: i64) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).position = position;
        }
        self.is_following.send_replace(true);
    }

    /// Waits until the log is read.
    pub async fn following(&self) {
        // The sender lives as long as the hub.
        let _ = self.is_following.subscribe().wait_for(|is_following| *is_following).await;
    }

    /// Of some topics, those that somebody hears here.
    pub fn has(&self, topic: Topic) -> bool {
        self.shards.iter().any(|shard| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).topics.contains_key(&topic)
        })
    }

    /// All topics that somebody hears here.
    pub fn topics(&self) -> HashSet<Topic> {
        let mut all = HashSet::new();
        for shard in &self.shards {
            all.extend(shard.lock().unwrap_or_else(PoisonError::into_inner).topics.keys().copied());
        }
        all
    }

    /// The clients of one shard, or all.
    pub fn clients(&self, shard: Option<usize>) -> Vec<Arc<Client>> {
        let shards = self.shards.iter().enumerate();
        let wanted = shards.filter(|(number, _)| shard.is_none_or(|wanted| wanted == *number));
        wanted
            .flat_map(|(_, shard)| {
                let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                shard.clients.values().cloned().collect::<Vec<_>>()
            })
            .collect()
    }

    /// The connections of a user.
    pub fn of_user(&self, user: UserId) -> Vec<Arc<Client>> {
        self.users().get(&user).cloned().unwrap_or_default()
    }

    /// Who is here.
    pub fn present(&self) -> HashSet<UserId> {
        self.users().keys().copied().collect()
    }

    /// Ends all connections.
    pub fn end_all(&self, end: End) {
        for client in self.clients(None) {
            client.end(end);
        }
    }

    fn shard(&self, client: &Client) -> MutexGuard<'_, Shard> {
        let number = usize::try_from(client.number % SHARDS as u64).unwrap_or(0);
        self.shards[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Client>>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn tell(&self, topics: &[Topic], frame: &Arc<Frame>) -> bool {
        let mut has_told = false;
        for topic in topics {
            for client in self.topics.get(topic).into_iter().flatten() {
                client.publish(*topic, frame);
                has_told = true;
            }
        }
        has_told
    }

    fn remove(&mut self, client: &Client, topics: &[Topic]) {
        for topic in topics {
            if let Some(clients) = self.topics.get_mut(topic) {
                clients.retain(|other| other.number != client.number);
                if clients.is_empty() {
                    self.topics.remove(topic);
                }
            }
        }
    }
}
