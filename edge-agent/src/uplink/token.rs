//! The edge proves itself with its key (RFC 7523) and gets a token for a while.

use super::http::{Clients, Failure, json, send};
use crate::ops::clock::Clock;
use crate::registry::Enrolled;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::Signer as _;
use protocol::sync::enroll::{ASSERTION_TYPE, AUDIENCE, AssertionClaims, ClockSkew, TokenAnswer};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The cloud, as an enrolled edge talks to it.
#[derive(Debug)]
pub struct Cloud {
    base: String,
    /// Connections.
    pub clients: Clients,
    enrolled: Arc<Enrolled>,
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
        enrolled: Arc<Enrolled>,
        clock: Clock,
        agent_boot: u64,
    ) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, clients, enrolled, clock, agent_boot, token: Mutex::new(None) }
    }

    /// Key and enrolment that are used.
    pub fn enrolled(&self) -> &Enrolled {
        &self.enrolled
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
        let fresh = match self.ask().await {
            Err(failure) if failure.code() == "clock_skew" => {
                let asked = self.clock.mono_ms();
                if let Some(skew) = failure.members::<ClockSkew>() {
                    tracing::warn!("the cloud's clock says otherwise, its time is used");
                    self.clock.learn_cloud_time(skew.now_ms, asked);
                }
                self.ask().await?
            }
            answer => answer?,
        };
        let bearer = fresh.bearer.clone();
        *token = Some(fresh);
        Ok(bearer)
    }

    async fn ask(&self) -> Result<Token, Failure> {
        let asked_ms = self.clock.mono_ms();
        let asked_at = Instant::now();
        let assertion = self.assertion();
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

    fn assertion(&self) -> String {
        let now_s = self.clock.cloud_ms().div_euclid(1_000);
        let edge = self.enrolled.enrolment.answer.edge_id;
        let claims = AssertionClaims {
            iss: edge,
            sub: edge,
            aud: AUDIENCE.to_owned(),
            iat: now_s,
            exp: now_s + ASSERTION_S,
            jti: uuid::Uuid::new_v4().simple().to_string(),
            boot: self.agent_boot.to_string(),
        };
        let claims = serde_json::to_vec(&claims).expect("claims are plain JSON");
        let head = BASE64.encode(br#"{"alg":"EdDSA","typ":"JWT"}"#);
        let signed = format!("{head}.{}", BASE64.encode(claims));
        let signature = self.enrolled.key.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature.to_bytes()))
    }
}
