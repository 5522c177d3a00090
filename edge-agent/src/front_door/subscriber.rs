//! The part of a connection's reader that deals with subscriptions.

use super::codec::packet::{Request, Unsubscribe};
use super::codec::{Reason, Subscribe, write};
use super::reader::Reader;
use super::subscriptions::Change;
use protocol::sync::entry::DeviceKind;
use rumqttd::local::LinkRx;
use tracing::info;

impl Reader<'_> {
    pub(super) async fn subscribe(&mut self, subscribe: Subscribe) {
        let door = &self.connection.door;
        let mut todo = Vec::new();
        let mut answers = Vec::with_capacity(subscribe.requests.len());
        for request in &subscribe.requests {
            let answer = self.answer(request);
            if answer.is_error() {
                door.counters.denied_subscriptions.increment(1);
            } else {
                let filter = request.filter.as_str();
                let change =
                    self.connection.subscriptions().add(filter, answer.0, request.retained);
                todo.push((filter.to_owned(), change));
            }
            answers.push(answer);
        }
        // The router knows of it before the client does, or what is sent meanwhile would be lost.
        let mut new_link = None;
        for (filter, change) in todo {
            if let Ok(received) = self.link_up(&filter, change).await {
                new_link = new_link.or(received);
                self.connection.door.sessions.subscribed(self.rights.device().id, &filter);
            } else {
                info!("a subscription failed because the fan-out has stopped");
            }
        }
        self.connection.outbox.write(|to| {
            write::suback(to, self.connection.version, subscribe.packet_id, &answers);
        });
        if let (Some(links), Some(rx)) = (self.links.take_if(|_| new_link.is_some()), new_link) {
            let _ = links.send(rx);
        }
    }

    fn answer(&self, request: &Request) -> Reason {
        let filter = request.filter.as_str();
        if self.rights.subscribe(filter) {
            Reason(request.qos.min(1))
        } else if filter.starts_with("$share/") {
            Reason::NO_SHARED
        } else {
            Reason::NOT_AUTHORIZED
        }
    }

    /// Tells the router. With the first subscription comes the receiving half of a link.
    async fn link_up(&mut self, filter: &str, change: Change) -> anyhow::Result<Option<LinkRx>> {
        let mut received = None;
        let link = if let Some(link) = &self.link {
            link
        } else {
            let (link, rx) = self.connection.door.fan_out.link().await?;
            if self.rights.device().kind == DeviceKind::Observer {
                self.connection.door.fan_out.count_observer(true);
            }
            received = Some(rx);
            self.link.insert(link)
        };
        if change == Change::Again {
            link.unsubscribe(filter).await?;
        }
        if change != Change::Same {
            link.subscribe(filter).await?;
        }
        Ok(received)
    }

    pub(super) async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) {
        let mut answers = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let filter = filter.as_str();
            let was_there = self.connection.subscriptions().remove(filter);
            if let (true, Some(link)) = (was_there, &self.link) {
                // If the fan-out has stopped, the agent is about to end.
                let _ = link.unsubscribe(filter).await;
            }
            answers.push(if was_there { Reason::SUCCESS } else { Reason::NO_SUBSCRIPTION });
        }
        self.connection.outbox.write(|to| {
            write::unsuback(to, self.connection.version, unsubscribe.packet_id, &answers);
        });
    }

    /// Gives the router its link back.
    pub async fn unlink(self, rx: Option<LinkRx>) {
        let Some(link) = self.link else { return };
        if self.rights.device().kind == DeviceKind::Observer {
            self.connection.door.fan_out.count_observer(false);
        }
        drop(rx);
        // Its last words to the router may block.
        let _ = tokio::task::spawn_blocking(move || drop(link)).await;
    }
}
