//! The batch lane: history, in order, from the journal to the cloud's database. Whatever happens on the way, the
//! cloud's answer alone decides what the journal may forget.

use super::Uplink;
use super::ahead::Ahead;
use super::backoff::Backoff;
use super::http::{Failure, json};
use super::link::{Lane, Waiter};
use super::outgoing::Due;
use super::prepared::{Prepared, Sizing};
use super::token::Cloud;
use anyhow::Result;
use protocol::sync::batch::{BATCH_MEDIA_TYPE, BatchAnswer, OutOfOrder};
use protocol::sync::state::Position;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// A cloud that reads no version of ours is asked again this often: it may have been updated.
const UNSUPPORTED_PAUSE: Duration = Duration::from_mins(10);
const UNREADABLE_PAUSE: Duration = Duration::from_secs(2);
/// A batch that the cloud refuses for another reason.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Sends batches for as long as the edge is enrolled this way.
pub(super) async fn run(uplink: &Uplink, cloud: &Cloud) -> Infallible {
    let mut lane = BatchLane {
        uplink,
        cloud,
        sizing: Sizing::default(),
        backoff: Backoff::new(Duration::from_millis(200), Duration::from_mins(1)),
        waiter: uplink.link.waiter(),
        told: String::new(),
        is_dated: uplink.clock.stamp().synced,
        ahead: Ahead::default(),
    };
    let mut next: Option<Prepared> = None;
    loop {
        uplink.link.hold().await;
        if next.is_none() {
            next = lane.read(None).await;
        }
        let Some(batch) = next.take() else {
            lane.idle().await;
            continue;
        };
        let is_last = batch.end() == lane.newest();
        let after = batch.end();
        // The next one is read and packed while this one is on its way.
        let ahead = async { if is_last { None } else { lane.read(Some(after)).await } };
        let (answer, ahead) = tokio::join!(lane.post(&batch), ahead);
        match lane.settle(batch, answer).await {
            Next::Follows => next = ahead,
            Next::Again(batch) => next = Some(batch),
            Next::Anew => continue,
        }
        if is_last && next.is_none() {
            lane.idle().await;
        }
    }
}

/// What is to be sent after a batch.
enum Next {
    /// What was read ahead.
    Follows,
    /// The very same bytes: if only the answer was lost, the cloud knows them.
    Again(Prepared),
    /// Whatever the journal says comes next now.
    Anew,
}

struct BatchLane<'a> {
    uplink: &'a Uplink,
    cloud: &'a Cloud,
    sizing: Sizing,
    backoff: Backoff,
    waiter: Waiter,
    /// The refusal that staff were told of, so that they are told once.
    told: String,
    /// Something of this start of the computer is journaled, or will be, with a time that is known.
    is_dated: bool,
    ahead: Ahead,
}

/// An answer and how long it took.
type Answer = Result<(BatchAnswer, Duration), Failure>;

impl BatchLane<'_> {
    /// Until a batch is due; urgent events go ahead of it meanwhile.
    async fn idle(&mut self) {
        let outgoing = &self.uplink.outgoing;
        let latest = outgoing.latest();
        while outgoing.due(latest).await == Due::Events {
            if !self.ahead.send(self.uplink, self.cloud).await {
                return;
            }
        }
    }

    /// A journal that cannot be read sets itself aside and goes on; nothing else stops for that.
    async fn read(&self, after: Option<Position>) -> Option<Prepared> {
        match self.cut(after).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(?error, "no batch can be read from the journal");
                tokio::time::sleep(UNREADABLE_PAUSE).await;
                None
            }
        }
    }

    async fn cut(&self, after: Option<Position>) -> Result<Option<Prepared>> {
        let (journal, limits) = (&self.uplink.journal, self.sizing.limits());
        let batch = match after {
            Some(after) => journal.read_batch_after(after, limits).await?,
            None => journal.read_batch(limits).await?,
        };
        let Some(batch) = batch else { return Ok(None) };
        let is_backlog = journal.backlog_entries() > BACKLOG_ENTRIES;
        let packed = move || Prepared::new(&batch, is_backlog);
        Ok(Some(tokio::task::spawn_blocking(packed).await?))
    }

    fn newest(&self) -> Position {
        *self.uplink.journal.committed().borrow()
    }

    async fn post(&self, batch: &Prepared) -> Answer {
        let started = Instant::now();
        let url = self.cloud.url("/batches");
        let timeout = self.sizing.timeout();
        let post = |clients: &super::http::Clients| {
            clients
                .bulk
                .post(&url)
                .header(CONTENT_TYPE, BATCH_MEDIA_TYPE)
                .header(CONTENT_ENCODING, "zstd")
                .timeout(timeout)
                .body(batch.body.clone())
        };
        let answer: BatchAnswer = json(self.cloud.call(post).await?).await?;
        Ok((answer, started.elapsed()))
    }

    /// Does what the answer asks for.
    async fn settle(&mut self, batch: Prepared, answer: Answer) -> Next {
        match answer {
            Ok((answer, took)) => {
                self.uplink.journal.acked(batch.epoch, answer.acked_seq).await;
                self.uplink.link.reached(Lane::Batches);
                metrics::counter!("gymwire_uplink_batches_total").increment(1);
                metrics::counter!("gymwire_uplink_batch_bytes_total")
                    .increment(batch.body.len() as u64);
                self.sizing.went_well(&batch, took);
                self.backoff.reset();
                self.told.clear();
                self.date().await;
                // If it has more than was sent, what was read ahead is not what comes next.
                if answer.acked_seq == batch.last_seq { Next::Follows } else { Next::Anew }
            }
            Err(failure) => self.recover(batch, &failure).await,
        }
    }

    /// What was journaled before the time was known gets its date by any entry after it. Where nobody does anything, there
    /// would be none.
    async fn date(&mut self) {
        if !self.is_dated && self.uplink.clock.stamp().synced {
            self.is_dated = true;
            let detail = "what was noted before since the start gets its date now";
            self.uplink.notice("time_known", detail.to_owned()).await;
        }
    }

    async fn recover(&mut self, batch: Prepared, failure: &Failure) -> Next {
        let status = failure.status();
        if failure.code() == "out_of_order"
            && let Some(expected) = failure.members::<OutOfOrder>()
        {
            tracing::warn!(
                epoch = batch.epoch,
                sent = batch.first_seq,
                expected = expected.expected_seq,
                "the cloud expects another batch, cutting anew"
            );
            self.uplink.journal.rewind(batch.epoch, expected.expected_seq).await;
            // If it is refused again, do not spin.
            tokio::time::sleep(self.backoff.next_wait()).await;
            return Next::Anew;
        }
        self.uplink.failed(Lane::Batches, failure).await;
        let pause = match status {
            Some(StatusCode::PAYLOAD_TOO_LARGE) if self.sizing.halve() => return Next::Anew,
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE) => {
                self.tell("batch_version_unsupported", failure).await;
                UNSUPPORTED_PAUSE
            }
            Some(status) if is_refusal(status) => {
                self.tell("batch_refused", failure).await;
                REFUSED_PAUSE
            }
            _ => {
                self.sizing.went_badly();
                self.backoff.next_wait()
            }
        };
        self.waiter.pause(pause, failure).await;
        Next::Again(batch)
    }

    async fn tell(&mut self, code: &str, failure: &Failure) {
        if self.told != code {
            code.clone_into(&mut self.told);
            let detail = format!("the data is kept here until the cloud takes it: {failure}");
            self.uplink.notice(code, detail).await;
        }
    }
}

/// More entries than this are a backlog, and speed counts more than size.
const BACKLOG_ENTRIES: u64 = 200;

/// The same bytes would be refused again; tokens and conflicts are other lanes' matter too.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::CONFLICT
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        )
}
