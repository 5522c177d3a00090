//! Becoming known to the cloud with a one-time code.

use super::http::{Clients, Failure, json, send};
use crate::config;
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::registry::identity::Enrolment;
use anyhow::{Context as _, Result, bail};
use protocol::sync::enroll::{EnrollAnswer, EnrollRequest, prove};
use std::sync::Arc;

/// Enrols this edge with `code` at the cloud at `url`, with a key born now.
pub async fn enroll(
    registry: &Registry,
    config: &config::Cloud,
    clock: &Clock,
    url: &str,
    code: &str,
) -> Result<Arc<crate::registry::Enrolled>> {
    let url = url.trim_end_matches('/');
    reqwest::Url::parse(url).with_context(|| format!("--cloud: {url} is no URL"))?;
    let key = registry.draw_key()?;
    let public_key = hex::encode(key.verifying_key().as_bytes());
    let request = EnrollRequest {
        code: code.trim().to_owned(),
        public_key: public_key.clone(),
        proof: prove(code.trim(), &key),
        hostname: hostname(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let asked_ms = clock.mono_ms();
    let clients = Clients::new(config, clock)?;
    let post = clients.live.post(format!("{url}/edge/v1/enroll")).json(&request);
    let answer: EnrollAnswer = match send(post).await {
        Ok(answer) => json(answer).await?,
        Err(failure) => bail!(explained(&failure, url)),
    };
    clock.learn_cloud_time(answer.now_ms, asked_ms);
    let enrolment = Enrolment { cloud_url: url.to_owned(), public_key, answer };
    if enrolment.credential_key().is_none() || enrolment.cloud_keys().is_empty() {
        bail!("the cloud's answer lacks keys: this agent is too old or too new for it");
    }
    registry.enrol(key, enrolment).await?;
    registry.enrolled().context("the enrolment was just stored")
}

fn explained(failure: &Failure, url: &str) -> String {
    let what = match (failure, failure.code()) {
        (Failure::Unreachable(why), _) => {
            return format!("the cloud at {url} cannot be reached: {why}");
        }
        (_, "invalid_code") => "the cloud does not know this code",
        (_, "code_expired") => "this code has expired",
        (_, "code_used") => "this code has been used already",
        _ => return format!("the cloud refused: {failure}"),
    };
    format!("{what}; `cloud-api admin enroll-code` makes one that is good for an hour")
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
