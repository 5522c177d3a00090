//! Google and Apple, played by a small server: their keys, and ids for codes.

use anyhow::Result;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A key of these tests, known to nobody else.
const KEY: &[u8] = include_bytes!("id_token_test_key.der");
pub const MODULUS: &str = "ulKe2EiECCaHJWKgfrYOwIdThgZ578RipSJGwPj2jbKFOvA1j_27mMXZs4WUJXr35IxdvdTWBkzIl8Di_v8Ez0olxuA0_c5bd4gKeNxRpxWrp6I56uBEpDqXiefBCKWyhtn8AUHMPi9WIqgQ7-k9BYTOvASQ8xybgJG8xHSw4pp9wsR2OgrWLH9qPmKUzQRV-lk3knw9K3E4EGB-p3qp3TbiyCRE27CvqLbJVPqBLULRXfVbWpm2ClFCZV5jcGZbAvb7b4Ms9qiRHWjHAvHeIKHtCN1UpBlco8ubm3baqH3tpLQ82djwi6tfIYga3FDlU9bXZs3_4BJ1OPXgPHffXw";

/// A provider.
#[derive(Debug, Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

/// What it knows.
#[derive(Debug, Default)]
pub struct State {
    /// Ids of the keys that it publishes.
    pub kids: Vec<&'static str>,
    pub asked_for_keys: u32,
    /// Id tokens that codes are good for, once.
    pub codes: BTreeMap<String, String>,
    /// The forms that came with codes.
    pub forms: Vec<BTreeMap<String, String>>,
}

impl Fake {
    pub async fn open(tasks: &mut JoinSet<()>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let state = Arc::new(Mutex::new(State { kids: vec!["one"], ..State::default() }));
        let fake = Self { state, address: listener.local_addr()? };
        let (keys, codes) = (fake.clone(), fake.clone());
        let router = Router::new()
            .route("/keys", get(move || async move { Json(keys.keys()) }))
            .route("/token", post(move |Form(form)| async move { codes.token(form) }));
        tasks.spawn(async move {
            let _ended = axum::serve(listener, router).await;
        });
        Ok(fake)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> Value {
        let mut state = self.state();
        state.asked_for_keys += 1;
        let key = |kid| json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": MODULUS, "e": "AQAB"});
        json!({"keys": state.kids.iter().map(key).collect::<Vec<_>>()})
    }

    fn token(&self, form: BTreeMap<String, String>) -> (StatusCode, Json<Value>) {
        let mut state = self.state();
        let token = form.get("code").and_then(|code| state.codes.remove(code));
        state.forms.push(form);
        match token {
            Some(id_token) => (
                StatusCode::OK,
                Json(json!({"id_token": id_token, "access_token": "x", "expires_in": 3600})),
            ),
            None => (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))),
        }
    }
}

/// A token with a key of the provider.
pub fn signed(kid: &str, claims: &Value) -> Result<String> {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    Ok(jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_der(KEY))?)
}
