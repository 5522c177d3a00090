//! What the front door counts. Handles are made once: looking one up costs more than handling a message.

use metrics::{Counter, Gauge, counter, gauge};

#[derive(Clone)]
pub struct Counters {
    pub connected: Gauge,
    pub messages: Counter,
    pub rejects: Counter,
    pub denied_publishes: Counter,
    pub denied_subscriptions: Counter,
    pub resent: Counter,
    pub delivered: Counter,
    pub missed: Counter,
    pub evicted: Counter,
}

impl Counters {
    pub fn new() -> Self {
        Self {
            connected: gauge!("gymwire_mqtt_connections"),
            messages: counter!("gymwire_mqtt_messages_total"),
            rejects: counter!("gymwire_mqtt_rejects_total"),
            denied_publishes: counter!("gymwire_mqtt_denied_total", "verb" => "publish"),
            denied_subscriptions: counter!("gymwire_mqtt_denied_total", "verb" => "subscribe"),
            resent: counter!("gymwire_mqtt_resent_while_waiting_total"),
            delivered: counter!("gymwire_mqtt_delivered_total"),
            missed: counter!("gymwire_mqtt_missed_by_slow_subscribers_total"),
            evicted: counter!("gymwire_mqtt_evicted_before_login_total"),
        }
    }

    /// A connection ended.
    pub fn ended(reason: &'static str) {
        counter!("gymwire_mqtt_ended_total", "reason" => reason).increment(1);
    }

    /// A login was refused.
    pub fn refused(reason: &'static str) {
        counter!("gymwire_mqtt_refused_total", "reason" => reason).increment(1);
    }
}
