//! From an authorized message to what the journal takes: parsed, dated, and with what is to be told to whom.

use super::acl::Grant;
use super::codec::Publish as Packet;
use super::raw;
use crate::access::{Access, Proof};
use crate::device_time::DeviceTimes;
use crate::journal::{Publish, Received, What, digest};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::uplink::board::Board;
use bytes::Bytes;
use protocol::ids::DeviceId;
use protocol::machine::{Fields, Sample};
use protocol::mqtt::payloads::{
    ErrorReport, MAX_PAYLOAD_BYTES, RawFrame, Refusal, parse_challenge, parse_maintenance,
    parse_raw_frame, parse_result, parse_set, parse_status, parse_tap, parse_telemetry,
};
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::{Body, Reject, Tap};
use std::sync::{Arc, Mutex, PoisonError};

/// Turns messages into what the journal takes.
#[derive(Clone)]
pub struct Intake {
    registry: Registry,
    clock: Clock,
    access: Access,
    board: Board,
    times: Arc<Mutex<DeviceTimes<DeviceId>>>,
}

/// A message for the journal, and whether it is a reject.
pub struct Taken {
    pub received: Received,
    pub is_reject: bool,
}

/// A reject keeps so much of topic and payload.
const KEPT: usize = 256;

impl Intake {
    pub fn new(registry: Registry, clock: Clock, access: Access, board: Board) -> Self {
        Self { registry, clock, access, board, times: Arc::default() }
    }

    /// Reads a message. One that cannot be used becomes a reject: nothing is lost without a trace.
    pub fn take(&self, grant: &Grant, packet: &Packet, is_observed: bool) -> Taken {
        let read = match grant.topic {
            _ if packet.cut > 0 => Err(too_large()),
            Topic::ReaderTap(_) => self.tap(grant, &packet.payload),
            _ => self.read(grant, &packet.payload).map(|what| (what, None)),
        };
        match read {
            Ok((what, proof)) => {
                let mut received = Received::new(grant.source, what);
                received.proof = proof;
                received.dup = packet.dup;
                if needs_digest(&received.what) {
                    received.payload_digest = digest(&packet.payload);
                }
                received.fan_out = pass_on(grant, packet, is_observed);
                Taken { received, is_reject: false }
            }
            Err(refusal) => Taken { received: reject(grant, packet, refusal), is_reject: true },
        }
    }

    fn read(&self, grant: &Grant, payload: &[u8]) -> Result<What, Refusal> {
        let body = match grant.topic {
            Topic::MachineTelemetry(_) => return self.telemetry(grant, payload),
            Topic::MachineSet(_) => {
                let set = parse_set(payload)?;
                let taken_ms = self.taken_ms(grant, set.boot, set.uptime_ms);
                Body::Set(set.finish(taken_ms))
            }
            Topic::MachineStatus(_) | Topic::ReaderStatus(_) | Topic::BridgeStatus(_) => {
                Body::Status(parse_status(payload)?)
            }
            Topic::MachineMaintenance(_) => Body::Maintenance(parse_maintenance(payload)?),
            Topic::Results(..) => Body::CommandResult(parse_result(payload)?),
            Topic::MachineFtms(ref code) => {
                let frame = parse_raw_frame(payload)?;
                let setting = self.registry.setting(raw::BIKE_LAYOUT);
                let codes = setting.as_ref().map(|text| text.as_str());
                let fields = raw::ftms(&frame, raw::is_listed(codes, code.as_str()))?;
                return Ok(self.sample(grant, &frame, fields));
            }
            Topic::MachineCsafe(_) => {
                let frame = parse_raw_frame(payload)?;
                let fields = raw::csafe(&frame)?;
                return Ok(self.sample(grant, &frame, fields));
            }
            Topic::ReaderChallenge(_) => {
                parse_challenge(payload)?;
                return Err(unsupported("a question for a nonce is only answered while connected"));
            }
            Topic::ReaderTap(_)
            | Topic::MachineLink(_)
            | Topic::ReaderDecision(_)
            | Topic::Commands(..)
            | Topic::Errors(..) => return Err(unsupported("devices do not send this")),
        };
        Ok(What::Event(body))
    }

    /// A tap, and what its credential proves. The number of a card goes no further than this.
    fn tap(&self, grant: &Grant, payload: &[u8]) -> Result<(What, Option<Box<Proof>>), Refusal> {
        let tap = parse_tap(payload)?;
        let reader = grant.source.device();
        let proof = reader.map(|reader| Box::new(self.access.prove(reader, &tap.credential)));
        let credential = tap.credential.stored(&self.registry.credential_key());
        let body = Body::Tap(Tap { tap_id: tap.tap_id, credential, age_ms: tap.age_ms });
        Ok((What::Event(body), proof))
    }

    fn telemetry(&self, grant: &Grant, payload: &[u8]) -> Result<What, Refusal> {
        let samples = parse_telemetry(payload)?;
        // The journal dates samples, it sees whole groups of them. Here they only tell when the device started.
        if let Some(sample) = samples.last() {
            self.taken_ms(grant, sample.boot, sample.uptime_ms);
            self.glimpse(grant, sample);
        }
        Ok(What::Telemetry(samples))
    }

    /// What a raw frame had, as a sample with the numbers of its header.
    fn sample(&self, grant: &Grant, frame: &RawFrame<'_>, fields: Fields) -> What {
        let RawFrame { boot, seq, uptime_ms, .. } = *frame;
        let boot = Some(boot);
        let uptime_ms = grant.source.device().and_then(|device| {
            let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.unwrapped_ms(device, boot, uptime_ms, self.clock.mono_ms())
        });
        self.taken_ms(grant, boot, uptime_ms);
        let sample = Sample { seq, boot, at_ms: None, uptime_ms, fields };
        self.glimpse(grant, &sample);
        What::Telemetry(vec![sample])
    }

    /// Whoever follows a machine does not wait for the disk; nothing counts what they see.
    fn glimpse(&self, grant: &Grant, sample: &Sample) {
        if let Some(device) = grant.source.device() {
            self.board.glimpse(device, self.clock.mono_ms(), sample);
        }
    }

    fn taken_ms(&self, grant: &Grant, boot: Option<u32>, uptime_ms: Option<u64>) -> u64 {
        let now_ms = self.clock.mono_ms();
        let (Some(device), Some(_)) = (grant.source.device(), uptime_ms) else { return now_ms };
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.taken_ms(device, boot, uptime_ms, now_ms)
    }
}

/// What has neither `boot` nor an id of its own is known again only by its bytes.
fn needs_digest(what: &What) -> bool {
    let is_bootless = |sample: &Sample| sample.boot.is_none();
    match what {
        What::Telemetry(samples) => samples.iter().any(is_bootless),
        What::Event(Body::Tap(_)) | What::FanOut => false,
        What::Event(_) => true,
    }
}

/// Statuses are kept for later subscribers if the device wants it; everything else goes only to those who listen now.
fn pass_on(grant: &Grant, packet: &Packet, is_observed: bool) -> Option<Publish> {
    let retain = packet.retain && grant.topic.is_retained();
    let is_for_observers = matches!(
        grant.topic,
        Topic::MachineTelemetry(_)
            | Topic::MachineSet(_)
            | Topic::MachineStatus(_)
            | Topic::ReaderStatus(_)
            | Topic::BridgeStatus(_)
    );
    (retain || is_for_observers && is_observed).then(|| Publish {
        topic: String::from_utf8_lossy(&packet.topic).into_owned(),
        // A copy: a slice would keep the whole read buffer alive as long as the router keeps the message.
        payload: Bytes::copy_from_slice(&packet.payload),
        retain,
    })
}

fn reject(grant: &Grant, packet: &Packet, refusal: Refusal) -> Received {
    let topic = grant.topic.to_string();
    let Refusal { code, field, message } = refusal;
    let report = ErrorReport {
        topic: topic.clone(),
        seq: seq_of(&grant.topic, &packet.payload),
        code: code.to_owned(),
        field: field.clone(),
        message: message.clone(),
    };
    let errors = Topic::Errors(grant.topic.role(), grant.topic.code().clone());
    let body = Body::Reject(Reject {
        topic,
        code: code.to_owned(),
        field,
        message,
        payload: packet.payload[..packet.payload.len().min(KEPT)].to_vec(),
        count: 1,
    });
    let mut received = Received::new(grant.source, What::Event(body));
    received.dup = packet.dup;
    received.payload_digest = digest(&packet.payload);
    received.fan_out = serde_json::to_vec(&report).ok().map(|payload| Publish {
        topic: errors.to_string(),
        payload: Bytes::from(payload),
        retain: false,
    });
    received
}

/// The `seq` of a payload that is otherwise unusable, for the report to the device.
fn seq_of(topic: &Topic, payload: &[u8]) -> Option<u64> {
    if matches!(topic, Topic::MachineFtms(_) | Topic::MachineCsafe(_)) {
        return parse_raw_frame(payload).ok().map(|frame| frame.seq);
    }
    if payload.len() > MAX_PAYLOAD_BYTES {
        return None;
    }
    serde_json::from_slice::<serde_json::Value>(payload).ok()?.get("seq")?.as_u64()
}

fn too_large() -> Refusal {
    let message = format!("the payload is larger than {MAX_PAYLOAD_BYTES} bytes");
    Refusal { code: "too_large", field: None, message }
}

fn unsupported(message: &str) -> Refusal {
    Refusal { code: "unsupported", field: None, message: message.to_owned() }
}
