//! Branches without an agent: enrolled edges that send batches as agents do, for measuring the cloud alone.

use crate::site::Site;
use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use protocol::ids::EdgeId;
use protocol::machine::Sample;
use protocol::machine::columns::{self, TimedSample};
use protocol::sync::batch::{BATCH_MEDIA_TYPE, Batch, BatchEvent, MachineTelemetry};
use protocol::sync::enroll::{ASSERTION_TYPE, AssertionClaims, EnrollAnswer, EnrollRequest, prove};
use protocol::sync::entry::Event;
use protocol::time::Stamp;
use reqwest::Client;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// An enrolled edge.
pub struct Simulated {
    client: Client,
    url: String,
    token: String,
    epoch: u64,
    next_seq: u64,
}

/// Keeps its connections, as an agent does.
pub fn client() -> Result<Client> {
    // Fails only if somebody else has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().no_proxy().timeout(Duration::from_mins(2)).build()?)
}

impl Simulated {
    /// Enrols at a branch.
    pub async fn enrol(client: &Client, url: &str, site: &Site, number: u64) -> Result<Self> {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&number.to_le_bytes());
        let key = SigningKey::from_bytes(&secret);
        let code = site.enroll_code().await?;
        let request = EnrollRequest {
            code: code.clone(),
            public_key: hex::encode(key.verifying_key().as_bytes()),
            proof: prove(&code, &key),
            hostname: "bench".to_owned(),
            agent_version: "0.1.0".to_owned(),
        };
        let answer = client.post(format!("{url}/edge/v1/enroll")).json(&request).send().await?;
        let answer: EnrollAnswer = answer.error_for_status()?.json().await?;
        let token = token(client, url, answer.edge_id, &key).await?;
        let (client, url) = (client.clone(), url.to_owned());
        Ok(Self { client, url, token, epoch: number + 1, next_seq: 1 })
    }

    /// A batch of these samples and events, which takes the next positions; packed.
    pub fn pack(&mut self, telemetry: &[(Uuid, Vec<TimedSample>)], happened: &[Event]) -> Vec<u8> {
        let first_seq = self.next_seq;
        let events = (first_seq..).zip(happened);
        let events: Vec<_> =
            events.map(|(seq, event)| BatchEvent { seq, event: event.encode() }).collect();
        let machine = |(machine, samples): &(Uuid, Vec<TimedSample>)| MachineTelemetry {
            machine: protocol::ids::DeviceId(*machine),
            clock: UNIX,
            columns: columns::encode(samples),
        };
        self.next_seq += (happened.len() as u64).max(1);
        let batch = Batch {
            epoch: self.epoch,
            first_seq,
            last_seq: self.next_seq - 1,
            telemetry: telemetry.iter().map(machine).collect(),
            events,
        };
        batch.encode(3)
    }

    /// Sends a packed batch.
    pub async fn send(&self, packed: Vec<u8>) -> Result<()> {
        let request = self.client.post(format!("{}/edge/v1/batches", self.url));
        let request = request
            .bearer_auth(&self.token)
            .header("content-type", BATCH_MEDIA_TYPE)
            .header("content-encoding", "zstd");
        let answer = request.body(packed).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "{status}: {}", answer.text().await?);
        Ok(())
    }
}

/// Monotonic times are Unix times here.
pub const UNIX: Stamp = Stamp { boot: 1, mono_ms: 0, wall_ms: 0, synced: true };

/// A sample of a ride, so many milliseconds after 1970, the `n`th of its machine.
pub fn sample(sample: &Sample, at_ms: i64) -> TimedSample {
    let sample = Sample { at_ms: None, uptime_ms: None, ..*sample };
    TimedSample { source: 0, mono_ms: at_ms.unsigned_abs(), sample }
}

async fn token(client: &Client, url: &str, edge: EdgeId, key: &SigningKey) -> Result<String> {
    let iat = cloud_api::Clock::system().now().unix_timestamp();
    let claims = AssertionClaims {
        iss: edge,
        sub: edge,
        aud: "gymwire-edge".to_owned(),
        iat,
        exp: iat + 60,
        jti: Uuid::now_v7().to_string(),
        boot: "bench".to_owned(),
    };
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({"alg": "EdDSA"}));
    let signed = format!("{head}.{}", part(serde_json::to_value(claims)?));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
    let kind = ASSERTION_TYPE.replace(':', "%3A");
    let form = format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={signed}.{signature}"
    );
    let request = client.post(format!("{url}/edge/v1/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer: Value = request.body(form).send().await?.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().context("no token")?.to_owned())
}
