//! An edge agent as the cloud sees it: a key, an enrolment, tokens, and whatever a test wants it to send.

use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud_api::domains::edges::make_enroll_code;
use cloud_api::ids::{BranchId, DeviceId};
use ed25519_dalek::{Signer, SigningKey};
use protocol::ids::EdgeId;
use protocol::machine::columns::{self, TimedSample};
use protocol::machine::{Field, Sample};
use protocol::sync::batch::{BATCH_MEDIA_TYPE, Batch, BatchEvent, MachineTelemetry};
use protocol::sync::enroll::{ASSERTION_TYPE, AssertionClaims, EnrollAnswer, EnrollRequest, prove};
use protocol::sync::entry::{Body as EventBody, Event, Source};
use protocol::sync::state::{LiveState, STATE_MEDIA_TYPE};
use protocol::time::Stamp;
use tests::api::{Answer, Api};

/// An enrolled edge, with the token of one start of its agent.
pub struct Edge {
    pub key: SigningKey,
    pub enrolment: EnrollAnswer,
    pub token: String,
}

/// A gym with one machine, and the edge of its branch.
pub struct Scene {
    pub api: Api,
    pub gym: Gym,
    pub machine: DeviceId,
    pub edge: Edge,
}

impl Scene {
    pub async fn open() -> Result<Self> {
        let api = Api::new().await?;
        let gym = Gym::open(&api, "Scene").await?;
        let kind = cloud_api::domains::devices::MachineType::Cardio;
        let machine = gym.machine(&api, &gym.branch, "bike-01", kind).await?;
        let edge = Edge::enrol(&api, gym.branch.id).await?;
        Ok(Self { api, gym, machine, edge })
    }

    /// Sends entries of epoch 1 with nothing special about them.
    pub async fn send(&self, batch: &Batch) -> Result<Answer> {
        self.edge.send(&self.api, batch).await
    }

    /// A number out of the database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.api.app.db).await?)
    }
}

/// A fresh enrolment code.
pub async fn code(api: &Api, branch: BranchId) -> Result<String> {
    let mut db = api.app.db.acquire().await?;
    Ok(make_enroll_code(&mut db, branch, api.app.clock.now()).await?.to_string())
}

/// What an agent sends to enrol.
pub fn enrolment(code: &str, key: &SigningKey) -> serde_json::Value {
    let request = EnrollRequest {
        code: code.to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        proof: prove(code, key),
        hostname: "pi".to_owned(),
        agent_version: "0.1.0".to_owned(),
    };
    serde_json::to_value(request).expect("plain JSON")
}

/// A key that is the same for the same number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

impl Edge {
    pub async fn enrol(api: &Api, branch: BranchId) -> Result<Self> {
        let key = SigningKey::from_bytes(&uuid_bytes());
        let code = code(api, branch).await?;
        let answer = api.post("/edge/v1/enroll", None, &enrolment(&code, &key)).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        let enrolment = serde_json::from_slice(&answer.body)?;
        let mut edge = Self { key, enrolment, token: String::new() };
        edge.token = edge.start(api, "first").await?;
        Ok(edge)
    }

    /// The claims of a good assertion.
    pub fn claims(&self, api: &Api, boot: &str) -> AssertionClaims {
        let edge: EdgeId = self.enrolment.edge_id;
        let iat = api.app.clock.now().unix_timestamp();
        AssertionClaims {
            iss: edge,
            sub: edge,
            aud: "gymwire-edge".to_owned(),
            iat,
            exp: iat + 60,
            jti: uuid::Uuid::now_v7().to_string(),
            boot: boot.to_owned(),
        }
    }

    /// Asks for a token.
    pub async fn ask(&self, api: &Api, claims: &AssertionClaims) -> Result<Answer> {
        ask(api, &sign(claims, &self.key)).await
    }

    /// A start of the agent gets a token.
    pub async fn start(&self, api: &Api, boot: &str) -> Result<String> {
        let answer = self.ask(api, &self.claims(api, boot)).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        Ok(answer.json()?["access_token"].as_str().context("no token")?.to_owned())
    }

    pub async fn send(&self, api: &Api, batch: &Batch) -> Result<Answer> {
        send_packed(api, &self.token, batch.encode(3)).await
    }

    pub async fn put_state(&self, api: &Api, state: &LiveState) -> Result<Answer> {
        put_state(api, &self.token, state).await
    }
}

fn uuid_bytes() -> [u8; 32] {
    let (a, b) = (uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes());
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&a);
    bytes[16..].copy_from_slice(&b);
    bytes
}

/// A JWT of some claims.
pub fn sign(claims: &AssertionClaims, key: &SigningKey) -> String {
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = serde_json::to_value(claims).expect("plain JSON");
    let signed = format!("{}.{}", part(serde_json::json!({"alg": "EdDSA"})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
    format!("{signed}.{signature}")
}

/// Asks for a token with any assertion.
pub async fn ask(api: &Api, assertion: &str) -> Result<Answer> {
    let kind = ASSERTION_TYPE.replace(':', "%3A");
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
    );
    let request = Request::post("/edge/v1/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))?;
    api.call(request).await
}

/// Sends any bytes as a batch.
pub async fn send_packed(api: &Api, token: &str, packed: Vec<u8>) -> Result<Answer> {
    let request = Request::post("/edge/v1/batches")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", BATCH_MEDIA_TYPE)
        .header("content-encoding", "zstd")
        .body(Body::from(packed))?;
    api.call(request).await
}

pub async fn put_state(api: &Api, token: &str, state: &LiveState) -> Result<Answer> {
    let request = Request::put("/edge/v1/state")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", STATE_MEDIA_TYPE)
        .body(Body::from(state.encode()))?;
    api.call(request).await
}

/// A reading of the edge's clocks: `mono_ms` after a start at noon of 2026-11-20, synced.
pub fn stamp(mono_ms: u64) -> Stamp {
    Stamp { boot: 1, mono_ms, wall_ms: NOON_MS + mono_ms.cast_signed(), synced: true }
}

/// 2026-11-20 12:00 UTC.
pub const NOON_MS: i64 = 1_795_176_000_000;

/// A batch of events with the positions `first_seq…`.
pub fn events(epoch: u64, first_seq: u64, events: Vec<Event>) -> Batch {
    let last_seq = first_seq + events.len() as u64 - 1;
    let events = (first_seq..).zip(events);
    let events = events.map(|(seq, event)| BatchEvent { seq, event: event.encode() }).collect();
    Batch { epoch, first_seq, last_seq, telemetry: Vec::new(), events }
}

/// An event of a device at some monotonic time.
pub fn event(device: DeviceId, mono_ms: u64, body: EventBody) -> Event {
    Event { stamp: stamp(mono_ms), source: Source::Device(device.into()), body }
}

/// One position with samples of a machine, one a second from `from_ms` of the edge's monotonic time on.
pub fn telemetry(
    epoch: u64,
    seq: u64,
    machine: DeviceId,
    clock: Stamp,
    samples: &[TimedSample],
) -> Batch {
    let columns = columns::encode(samples);
    let telemetry = vec![MachineTelemetry { machine: machine.into(), clock, columns }];
    Batch { epoch, first_seq: seq, last_seq: seq, telemetry, events: Vec::new() }
}

/// A sample with a distance in tenths of a metre and a power in tenths of a watt.
pub fn sample(mono_ms: u64, seq: u64, distance: i32, power: i32) -> TimedSample {
    let mut sample = Sample { seq, boot: Some(1), ..Sample::default() };
    sample.fields.set_scaled(Field::DistanceM, distance);
    sample.fields.set_scaled(Field::PowerW, power);
    TimedSample { source: 0, mono_ms, sample }
}
