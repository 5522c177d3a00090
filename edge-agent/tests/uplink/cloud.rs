//! A cloud as the contracts describe it, with faults to order.

use crate::edge::PATIENCE;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use protocol::ids::{BranchId, CommandId, DeviceId, EdgeId, OrganizationId};
use protocol::machine::columns;
use protocol::sync::batch::{BATCH_MEDIA_TYPE, Batch, BatchAnswer};
use protocol::sync::changes::{Change, Changes};
use protocol::sync::commands::{Command, CommandReport, Commands};
use protocol::sync::enroll::{
    AUDIENCE, AssertionClaims, EnrollAnswer, EnrollKey, EnrollRequest, KeyAnnouncement,
    TokenAnswer, is_proven,
};
use protocol::sync::entry::{Body, DeviceState, Event};
use protocol::sync::state::{LiveState, StateAnswer};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

pub const NOW_MS: i64 = 1_795_000_000_000;
pub const CODE: &str = "ABCD-EFGH-JKLM";
const BRANCH: BranchId = BranchId(Uuid::from_u128(1));
const EDGE: EdgeId = EdgeId(Uuid::from_u128(2));

/// What a batch meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Applied, but the answer is an error of a proxy.
    LoseAnswer,
    Unavailable,
    /// The connection ends without an answer.
    HangUp,
    Unsupported,
    TooLarge,
    Conflict,
}

/// What a new key of the edge meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// It is taken in, and the answer is lost.
    LoseAnnounced,
    /// It was used, and the answer is lost.
    LoseUsed,
}

/// What the cloud has seen.
#[expect(clippy::struct_excessive_bools, reason = "independent faults")]
#[derive(Default)]
pub struct Seen {
    pub acked: HashMap<u64, u64>,
    pub events: Vec<(u64, Event)>,
    pub samples: Vec<(DeviceId, u64)>,
    pub states: Vec<LiveState>,
    /// What came ahead of its batch.
    pub ahead: HashSet<(u64, u64)>,
    pub results: BTreeMap<CommandId, CommandReport>,
    pub skews: usize,
    public_key: Option<VerifyingKey>,
    next_key: Option<VerifyingKey>,
    /// What becomes of the answers to the next announcement, and to the first use of the key.
    key_faults: VecDeque<KeyFault>,
    /// Tokens that were refused.
    pub refusals: usize,
    tokens: Vec<String>,
    faults: VecDeque<Fault>,
    changes: Vec<Change>,
    commands: Vec<Command>,
    signs_badly: bool,
    signs_with_next: bool,
    is_cut: bool,
    is_watched: bool,
    /// Knows neither events ahead nor watchers.
    is_old: bool,
    is_rival: bool,
}

impl Seen {
    /// The texts of the tests' notices.
    pub fn notices(&self) -> Vec<String> {
        let text = |(_, event): &(u64, Event)| match &event.body {
            Body::Notice(notice) if notice.code == "test" => Some(notice.detail.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    pub fn has_notice(&self, code: &str) -> bool {
        let is_it = |body: &Body| matches!(body, Body::Notice(notice) if notice.code == code);
        self.events.iter().any(|(_, event)| is_it(&event.body))
    }

    /// Whether the last word about a device is this state.
    pub fn shows(&self, device: DeviceId, state: DeviceState) -> bool {
        let told =
            |one: &LiveState| one.machines.iter().find(|told| told.device == device).cloned();
        self.states.iter().rev().find_map(told).is_some_and(|told| told.state == state)
    }

    fn apply(&mut self, batch: &Batch) {
        for telemetry in &batch.telemetry {
            let samples = columns::decode(&telemetry.columns).unwrap();
            self.samples.extend(samples.iter().map(|timed| (telemetry.machine, timed.sample.seq)));
        }
        for event in &batch.events {
            if self.ahead.contains(&(batch.epoch, event.seq)) {
                continue;
            }
            self.events.push((event.seq, Event::decode(&event.event).unwrap()));
        }
    }
}

#[derive(Clone)]
pub struct FakeCloud {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Sender<u64>,
    key: SigningKey,
    next_key: SigningKey,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl FakeCloud {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cloud = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            changed: watch::Sender::new(0),
            key: SigningKey::from_bytes(&[3; 32]),
            next_key: SigningKey::from_bytes(&[4; 32]),
            tasks: Arc::default(),
        };
        let router = Router::new()
            .route("/edge/v1/state", put(state))
            .route("/edge/v1/batches", post(batches))
            .route("/edge/v1/events", post(events))
            .route("/edge/v1/changes", get(changes))
            .route("/edge/v1/key", put(next_key))
            .route("/edge/v1/commands", get(commands))
            .route("/edge/v1/commands/{id}/result", post(result))
            .layer(from_fn_with_state(cloud.clone(), authorize))
            .route("/edge/v1/enroll", post(enroll))
            .route("/edge/v1/token", post(token))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(cloud.clone());
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        cloud.tasks.lock().unwrap().spawn(serving);
        cloud
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut Seen) -> T) -> T {
        let done = edit(&mut self.seen.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
        done
    }

    /// Until what was seen is as wanted.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        let mut changed = self.changed.subscribe();
        let wanted = changed.wait_for(|_| self.look(&is_so));
        let in_time = timeout(PATIENCE, wanted).await.is_ok();
        assert!(in_time, "never saw {what}; notices: {:?}", self.look(Seen::notices));
    }

    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.edit(|seen| seen.faults.extend(faults));
    }

    pub fn pretend_acked(&self, epoch: u64, seq: u64) {
        self.edit(|seen| seen.acked.insert(epoch, seq));
    }

    pub fn forget_epochs(&self) {
        self.edit(|seen| seen.acked.clear());
    }

    pub fn void_tokens(&self) {
        self.edit(|seen| seen.tokens.clear());
    }

    pub fn cut(&self) {
        self.edit(|seen| seen.is_cut = true);
    }

    pub fn look_on(&self) {
        self.edit(|seen| seen.is_watched = true);
    }

    pub fn grow_old(&self) {
        self.edit(|seen| seen.is_old = true);
    }

    pub fn heal(&self) {
        self.edit(|seen| seen.is_cut = false);
    }

    pub fn key_faults(&self, faults: impl IntoIterator<Item = KeyFault>) {
        self.edit(|seen| seen.key_faults.extend(faults));
    }

    /// Whether this fault is next; it happens once.
    fn meets(&self, fault: KeyFault) -> bool {
        self.edit(|seen| seen.key_faults.pop_front_if(|next| *next == fault).is_some())
    }

    /// The key that counts, hex.
    pub fn edge_key(&self) -> Option<String> {
        self.look(|seen| seen.public_key.map(|key| hex::encode(key.as_bytes())))
    }

    pub fn change(&self, change: Change) {
        self.edit(|seen| seen.changes.push(change));
    }

    pub fn command(&self, command: Command) {
        self.edit(|seen| seen.commands.push(command));
    }

    pub fn sign_badly(&self) {
        self.edit(|seen| seen.signs_badly = true);
    }

    pub fn sign_with_next_key(&self) {
        self.edit(|seen| seen.signs_with_next = true);
    }

    pub fn next_key(&self) -> [u8; 32] {
        self.next_key.verifying_key().to_bytes()
    }
}

fn problem(status: StatusCode, code: &str, more: &serde_json::Value) -> Response {
    let mut body = json!({ "status": status.as_u16(), "code": code, "detail": "as ordered" });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    (status, Json(body)).into_response()
}

async fn enroll(State(cloud): State<FakeCloud>, Json(request): Json<EnrollRequest>) -> Response {
    let public: [u8; 32] = hex::decode(&request.public_key).unwrap().try_into().unwrap();
    let public = VerifyingKey::from_bytes(&public).unwrap();
    if request.code != CODE || !is_proven(CODE, &request.proof, &public) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_code", &json!({}));
    }
    cloud.edit(|seen| seen.public_key = Some(public));
    Json(EnrollAnswer {
        edge_id: EDGE,
        organization_id: OrganizationId(Uuid::from_u128(9)),
        branch_id: BRANCH,
        branch_name: "Nordend".to_owned(),
        site_no: 1,
        cloud_keys: vec![EnrollKey {
            key_id: 1,
            public: hex::encode(cloud.key.verifying_key().to_bytes()),
        }],
        credential_key: hex::encode([5; 32]),
        // Enrolment says nothing of use about the time, so that the tests see the token's answer at work.
        now_ms: 0,
    })
    .into_response()
}

async fn token(State(cloud): State<FakeCloud>, form: String) -> Response {
    let assertion = form.split("client_assertion=").nth(1).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&BASE64.decode(signature).unwrap()).unwrap();
    let (key, next) = cloud.look(|seen| (seen.public_key.unwrap(), seen.next_key));
    let is_by = |key: &VerifyingKey| key.verify_strict(signed.as_bytes(), &signature).is_ok();
    if !is_by(&key) {
        let Some(next) = next.filter(is_by) else {
            cloud.edit(|seen| seen.refusals += 1);
            return problem(StatusCode::UNAUTHORIZED, "invalid_client", &json!({}));
        };
        cloud.edit(|seen| (seen.public_key, seen.next_key) = (Some(next), None));
        if cloud.meets(KeyFault::LoseUsed) {
            return hang_up();
        }
    }
    let claims = BASE64.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: AssertionClaims = serde_json::from_slice(&claims).unwrap();
    assert_eq!((claims.iss, claims.aud.as_str()), (EDGE, AUDIENCE));
    if (claims.iat * 1_000 - NOW_MS).abs() > 60_000 {
        cloud.edit(|seen| seen.skews += 1);
        return problem(StatusCode::UNAUTHORIZED, "clock_skew", &json!({ "now_ms": NOW_MS }));
    }
    let access_token = Uuid::new_v4().to_string();
    cloud.edit(|seen| seen.tokens.push(access_token.clone()));
    let token_type = "Bearer".to_owned();
    Json(TokenAnswer { access_token, token_type, expires_in: 600, now_ms: NOW_MS }).into_response()
}

async fn next_key(
    State(cloud): State<FakeCloud>,
    Json(announced): Json<KeyAnnouncement>,
) -> Response {
    let present = cloud.look(|seen| seen.public_key).unwrap();
    let next = announced.verify(EDGE, &present).expect("signed by both keys");
    cloud.edit(|seen| seen.next_key = Some(next));
    if cloud.meets(KeyFault::LoseAnnounced) {
        return hang_up();
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn authorize(State(cloud): State<FakeCloud>, request: Request, next: Next) -> Response {
    let bearer = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
    let known = |seen: &Seen| seen.tokens.iter().any(|token| bearer == format!("Bearer {token}"));
    if cloud.look(|seen| seen.is_cut) {
        return hang_up();
    }
    if !cloud.look(known) {
        return problem(StatusCode::UNAUTHORIZED, "invalid_token", &json!({}));
    }
    if cloud.look(|seen| seen.is_rival) {
        return problem(StatusCode::CONFLICT, "edge_conflict", &json!({}));
    }
    next.run(request).await
}

/// A body that breaks off ends the connection.
fn hang_up() -> Response {
    let broken =
        futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    Response::new(axum::body::Body::from_stream(broken))
}

async fn state(State(cloud): State<FakeCloud>, body: Bytes) -> Response {
    let state = LiveState::unpack(&body).unwrap();
    cloud.edit(|seen| {
        seen.states.push(state);
        if seen.is_old {
            return StatusCode::NO_CONTENT.into_response();
        }
        Json(StateAnswer { watched: seen.is_watched, followed: Vec::new() }).into_response()
    })
}

async fn events(State(cloud): State<FakeCloud>, body: Bytes) -> Response {
    if cloud.look(|seen| seen.is_old) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let batch = Batch::decode(&body).unwrap();
    assert!(batch.telemetry.is_empty());
    cloud.edit(|seen| {
        for event in batch.events {
            if seen.ahead.insert((batch.epoch, event.seq)) {
                seen.events.push((event.seq, Event::decode(&event.event).unwrap()));
            }
        }
    });
    StatusCode::NO_CONTENT.into_response()
}

async fn batches(State(cloud): State<FakeCloud>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], BATCH_MEDIA_TYPE);
    assert_eq!(headers["content-encoding"], "zstd");
    let fault = cloud.edit(|seen| seen.faults.pop_front());
    match fault {
        Some(Fault::Unavailable) => {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &json!({}));
        }
        Some(Fault::HangUp) => return hang_up(),
        Some(Fault::Unsupported) => {
            let supported = json!({ "supported": [7] });
            return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_version", &supported);
        }
        Some(Fault::TooLarge) => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", &json!({}));
        }
        Some(Fault::Conflict) => {
            cloud.edit(|seen| seen.is_rival = true);
            return problem(StatusCode::CONFLICT, "edge_conflict", &json!({}));
        }
        Some(Fault::LoseAnswer) | None => {}
    }
    let batch = Batch::decode(&body).unwrap();
    let answer = cloud.edit(|seen| {
        let acked = seen.acked.get(&batch.epoch).copied().unwrap_or(0);
        if batch.last_seq > acked && batch.first_seq != acked + 1 {
            return Err(acked + 1);
        }
        if batch.last_seq > acked {
            seen.apply(&batch);
            seen.acked.insert(batch.epoch, batch.last_seq);
        }
        Ok(acked.max(batch.last_seq))
    });
    match answer {
        _ if fault == Some(Fault::LoseAnswer) => hang_up(),
        Ok(acked_seq) => Json(BatchAnswer { acked_seq }).into_response(),
        Err(expected) => {
            problem(StatusCode::CONFLICT, "out_of_order", &json!({ "expected_seq": expected }))
        }
    }
}

async fn changes(
    State(cloud): State<FakeCloud>,
    Query(query): Query<HashMap<String, u64>>,
) -> Response {
    let from = query["from"];
    let mut changed = cloud.changed.subscribe();
    let is_new = |seen: &Seen| seen.changes.len() as u64 > from;
    let _ = changed.wait_for(|_| cloud.look(is_new)).await;
    cloud
        .look(|seen| {
            let skipped = usize::try_from(from).unwrap();
            let answer = Changes {
                branch: BRANCH,
                from,
                to: seen.changes.len() as u64,
                reset: from == 0,
                more: false,
                changes: seen.changes[skipped..].to_vec(),
            };
            let mut message = if seen.signs_with_next {
                answer.sign(2, &cloud.next_key)
            } else {
                answer.sign(1, &cloud.key)
            };
            if seen.signs_badly {
                message[10] ^= 1;
            }
            message
        })
        .into_response()
}

async fn commands(State(cloud): State<FakeCloud>) -> Response {
    let open = |seen: &Seen| -> Vec<Command> {
        let is_open = |command: &&Command| !seen.results.contains_key(&command.id);
        seen.commands.iter().filter(is_open).cloned().collect()
    };
    let mut changed = cloud.changed.subscribe();
    let _ = changed.wait_for(|_| cloud.look(|seen| !open(seen).is_empty())).await;
    Json(Commands { items: cloud.look(open), now_ms: None }).into_response()
}

async fn result(
    State(cloud): State<FakeCloud>,
    Path(id): Path<Uuid>,
    Json(report): Json<CommandReport>,
) -> Response {
    cloud.edit(|seen| seen.results.insert(CommandId(id), report));
    StatusCode::NO_CONTENT.into_response()
}
