//! What a member of staff sees: the cloud's REST API, with a login as any app has it.

use crate::http;
use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Staff {
    cloud: String,
    token: String,
}

impl Staff {
    /// Logs in.
    pub async fn log_in(cloud: &str, email: &str, password: &str) -> Result<Self> {
        let login = json!({"email": email, "password": password});
        let answer = http::client()
            .post(format!("{cloud}/api/v1/auth/login"))
            .json(&login)
            .send()
            .await?
            .error_for_status()?;
        let answer: Value = answer.json().await?;
        let token = answer["access_token"].as_str().context("the login gives no token")?;
        Ok(Self { cloud: cloud.to_owned(), token: token.to_owned() })
    }

    /// The machines of a branch as they are just now, by the live lane.
    pub async fn availability(&self, branch: &str) -> Result<Vec<Value>> {
        let path = format!("/api/v1/machines/availability?branch_id={branch}&limit=100");
        match self.get(&path).await?["items"].take() {
            Value::Array(machines) => Ok(machines),
            other => bail!("availability has {other} for items"),
        }
    }

    /// Samples of machines, as their telemetry tells.
    pub async fn samples<'a>(&self, machines: impl Iterator<Item = &'a str>) -> Result<i64> {
        let mut samples = 0;
        for machine in machines {
            let path = format!("/api/v1/machines/{machine}/telemetry?every=1h");
            let telemetry = self.get(&path).await?;
            let items = telemetry["items"].as_array().context("telemetry has no items")?;
            samples += items.iter().filter_map(|step| step["samples"].as_i64()).sum::<i64>();
        }
        Ok(samples)
    }

    /// JSON by any method, and what is answered.
    pub async fn send(&self, method: Method, path: &str, json: &Value) -> Result<Value> {
        let request = http::client().request(method, format!("{}{path}", self.cloud));
        let answer = request.bearer_auth(&self.token).json(json).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// DELETE, which answers nothing.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let url = format!("{}{path}", self.cloud);
        let request = http::client().delete(url).bearer_auth(&self.token);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// GET of JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let request = http::client().get(format!("{}{path}", self.cloud)).bearer_auth(&self.token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}
