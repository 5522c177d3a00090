//! How often somebody may call: per address without a valid token, per user by plan and role with one, and per
//! route where a call costs much. Every answer that was counted says so in `RateLimit-*`.

use super::auth::Caller;
use super::error::{Error, Refusal};
use super::gate::{Refused, Rule};
use super::observe::ClientAddress;
use crate::app::App;
use crate::config::Limits;
use crate::counters::{Count, Counters};
use crate::domains::accounts::{Plan, Role};
use crate::ids::DeviceId;
use anyhow::Context;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// Where a route declares a limit of its own in the API document.
pub const EXTENSION: &str = "x-rate-limit";

/// A limit of one route, per user or, where nobody is signed in, per address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteLimit {
    pub limit: u32,
    pub window_s: u64,
}

impl RouteLimit {
    /// The one that an operation declares.
    pub fn of(declared: &Value) -> anyhow::Result<Option<Self>> {
        Option::<Self>::deserialize(declared).context(EXTENSION)
    }
}

/// Counts calls against the limits of the configuration.
#[derive(Debug, Clone)]
pub struct Rates {
    counters: Counters,
    limits: Arc<Limits>,
}

/// What is left for whom the call was counted for; empty where calls are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance(Option<Left>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    limit: u32,
    remaining: u32,
    reset_s: u64,
    is_over: bool,
}

impl Rates {
    pub fn new(counters: Counters, limits: &Limits) -> Self {
        Self { counters, limits: Arc::new(limits.clone()) }
    }

    /// Counts a call of nobody in particular.
    pub async fn anonymous(
        &self,
        app: &App,
        rule: &Rule,
        from: Option<ClientAddress>,
        route: &str,
    ) -> Result<Allowance, Refused> {
        let nowhere = ClientAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let who = from.unwrap_or(nowhere).network().0.to_string();
        self.count(app, rule, &format!("address:{who}"), self.limits.anonymous, route).await
    }

    /// Counts a call of a user.
    pub async fn user(
        &self,
        app: &App,
        rule: &Rule,
        caller: &Caller,
        route: &str,
    ) -> Result<Allowance, Refused> {
        let limit = match (caller.role, caller.plan) {
            (Role::Admin | Role::Staff | Role::Moderator, _) => self.limits.admin,
            (Role::Member, Plan::Premium) => self.limits.premium,
            (Role::Member, Plan::Free) => self.limits.user,
        };
        self.count(app, rule, &format!("user:{}", caller.user), limit, route).await
    }

    /// Counts a call of a device.
    pub async fn device(
        &self,
        app: &App,
        rule: &Rule,
        device: DeviceId,
        route: &str,
    ) -> Result<Allowance, Refused> {
        self.count(app, rule, &format!("device:{device}"), self.limits.device, route).await
    }

    /// Against the limit of the caller and the one of the route; the one with less left is told.
    async fn count(
        &self,
        app: &App,
        rule: &Rule,
        who: &str,
        limit: u32,
        route: &str,
    ) -> Result<Allowance, Refused> {
        if !rule.is_counted {
            return Ok(Allowance::default());
        }
        let now_ms = app.clock.now_ms();
        let window = Duration::from_secs(self.limits.window_s);
        let mut left = Left::of(self.counters.hit(who, window, now_ms).await, limit, now_ms);
        if let (Some(own), false) = (rule.limit, left.is_over) {
            let key = format!("{who}:{route}");
            let window = Duration::from_secs(own.window_s);
            let count = self.counters.hit(&key, window, now_ms).await;
            let of_route = Left::of(count, own.limit, now_ms);
            if of_route.is_over || of_route.remaining < left.remaining {
                left = of_route;
            }
        }
        let allowance = Allowance(Some(left));
        if left.is_over {
            let error = too_many("rate_limited", "too many requests", left.reset_s);
            return Err(Refused { error, allowance });
        }
        Ok(allowance)
    }
}

impl Left {
    fn of(count: Count, limit: u32, now_ms: i64) -> Self {
        Self {
            limit,
            remaining: limit.saturating_sub(count.hits),
            reset_s: count.left(now_ms).as_secs() + 1,
            is_over: count.hits > limit,
        }
    }
}

impl Allowance {
    /// Tells it in the headers.
    pub fn written_to(self, mut response: Response) -> Response {
        if let Some(left) = self.0 {
            let values = [u64::from(left.limit), u64::from(left.remaining), left.reset_s];
            for (name, value) in HEADERS.into_iter().zip(values) {
                response.headers_mut().insert(name, HeaderValue::from(value));
            }
        }
        response
    }
}

/// In the order of the values.
pub const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

/// 429 with `Retry-After`.
pub fn too_many(code: &'static str, detail: &str, wait_s: u64) -> Error {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, code)
        .detail(format!("{detail}; try again in {wait_s} s"))
        .header(header::RETRY_AFTER, HeaderValue::from(wait_s))
        .into()
}
