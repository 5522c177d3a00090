//! The edge proves itself with its key (RFC 7523) and gets a token for a while.

use super::http::{Clients, Failure, json, send};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use protocol::ids::EdgeId;
use protocol::sync::enroll::{ASSERTION_TYPE, AUDIENCE, AssertionClaims, ClockSkew, TokenAnswer};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The cloud, as an enrolled edge talks to it.
#[derive(Debug)]
pub struct Cloud {
    base: String,
    /// Connections.
    pub clients: Clients,
    edge: EdgeId,
    registry: Registry,
    clock: Clock,
    agent_boot: u64,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    bearer: String,
    renew_at: Instant,
}

/// An assertion is good for this long.
const ASSERTION_S: i64 = 120;

impl Cloud {
    /// The cloud at `base`. `agent_boot` is the random number of this start of the agent.
    pub fn new(
        base: &str,
        clients: Clients,
        edge: EdgeId,
        registry: Registry,
        clock: Clock,
        agent_boot: u64,
    ) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, clients, edge, registry, clock, agent_boot, token: Mutex::new(None) }
    }

    /// Who this edge is.
    pub fn edge(&self) -> EdgeId {
        self.edge
    }

    /// The random number of this start of the agent.
    pub fn agent_boot(&self) -> u64 {
        self.agent_boot
    }

    /// The address of a call below `/edge/v1`.
    pub fn url(&self, path: &str) -> String {
        format!("{}/edge/v1{path}", self.base)
    }

    /// Sends with a token; a token that is refused is replaced once.
    pub async fn call(
        &self,
        request: impl Fn(&Clients) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let bearer = self.bearer().await?;
        match send(request(&self.clients).bearer_auth(&bearer)).await {
            Err(failure) if failure.status() == Some(StatusCode::UNAUTHORIZED) => {
                self.forget(&bearer).await;
                send(request(&self.clients).bearer_auth(self.bearer().await?)).await
            }
            answer => answer,
        }
    }

    async fn forget(&self, bearer: &str) {
        let mut token = self.token.lock().await;
        if token.as_ref().is_some_and(|token| token.bearer == bearer) {
            *token = None;
        }
    }

    /// A token that is good for a while. Lanes that ask at the same time wait for one answer.
    async fn bearer(&self) -> Result<String, Failure> {
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(token.bearer.clone());
        }
        let fresh = self.prove().await?;
        let bearer = fresh.bearer.clone();
        *token = Some(fresh);
        Ok(bearer)
    }

    /// Gets another token, though the present one is still good: with an announced key, its first use.
    pub async fn renew(&self) -> Result<(), Failure> {
        let mut token = self.token.lock().await;
        *token = Some(self.prove().await?);
        Ok(())
    }

    /// Proves itself by the key that the cloud knows.
    async fn prove(&self) -> Result<Token, Failure> {
        let gone = || Failure::Unreachable("the edge is not enrolled any more".to_owned());
        let keys = self.registry.proving_keys().ok_or_else(gone)?;
        let (token, used, is_other) = match (self.ask_in_time(&keys.first).await, keys.other) {
            (Err(failure), Some(other)) if failure.code() == "invalid_client" => {
                (self.ask_in_time(&other).await?, other, true)
            }
            (answer, _) => (answer?, keys.first, false),
        };
        // What was not kept is found out again with the next token.
        if let Err(error) = self.registry.proven_by(&used, is_other) {
            tracing::error!(?error, "which key of the edge counts was not kept");
        }
        Ok(token)
    }

    async fn ask_in_time(&self, key: &SigningKey) -> Result<Token, Failure> {
        match self.ask(key).await {
            Err(failure) if failure.code() == "clock_skew" => {
                let asked = self.clock.mono_ms();
                if let Some(skew) = failure.members::<ClockSkew>() {
                    tracing::warn!("the cloud's clock says otherwise, its time is used");
                    self.clock.learn_cloud_time(skew.now_ms, asked);
                }
                self.ask(key).await
            }
            answer => answer,
        }
    }

    async fn ask(&self, key: &SigningKey) -> Result<Token, Failure> {
        let asked_ms = self.clock.mono_ms();
        let asked_at = Instant::now();
        let assertion = self.assertion(key);
        // Colons are the only characters in it that a form has to escape.
        let kind = ASSERTION_TYPE.replace(':', "%3A");
        let form = format!(
            "grant_type=client_credentials&client_assertion_type={kind}\
             &client_assertion={assertion}"
        );
        let request = self.clients.live.post(self.url("/token"));
        let request = request
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let answer: TokenAnswer = json(send(request).await?).await?;
        self.clock.learn_cloud_time(answer.now_ms, asked_ms);
        let good_for = Duration::from_secs(u64::from(answer.expires_in));
        // Early enough that a slow call started with it still ends within its life.
        Ok(Token { bearer: answer.access_token, renew_at: asked_at + good_for.mul_f64(0.75) })
    }

    fn assertion(&self, key: &SigningKey) -> String {
        let now_s = self.clock.cloud_ms().div_euclid(1_000);
        let claims = AssertionClaims {
            iss: self.edge,
            sub: self.edge,
            aud: AUDIENCE.to_owned(),
            iat: now_s,
            exp: now_s + ASSERTION_S,
            jti: uuid::Uuid::new_v4().simple().to_string(),
            boot: self.agent_boot.to_string(),
        };
        let claims = serde_json::to_vec(&claims).expect("claims are plain JSON");
        let head = BASE64.encode(br#"{"alg":"EdDSA","typ":"JWT"}"#);
        let signed = format!("{head}.{}", BASE64.encode(claims));
        let signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.to_bytes()))
    }
}
