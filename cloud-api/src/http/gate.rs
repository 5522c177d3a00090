//! The gate before every route: what the API document says that a route needs is what is asked of its caller. A
//! route that says nothing is open to nobody.

use super::auth::{Caller, bearer};
use super::error::{Error, Refusal, Result};
use super::observe::ClientAddress;
use super::permission::Permission;
use super::rate::{self, Allowance, RouteLimit};
use crate::app::App;
use crate::domains::accounts;
use crate::domains::devices::credential;
use anyhow::{Context, anyhow};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::openapi::OpenApi;

/// What a route asks of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// To be a user who may all of these.
    User(Vec<Permission>),
    /// To be an edge agent, which the route's own extractor looks at.
    Edge,
    /// To be a device, which proves itself by its secret.
    Device,
}

/// What is declared of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub access: Access,
    /// A limit of its own, for what costs much.
    pub limit: Option<RouteLimit>,
    /// Whether it takes an `Idempotency-Key`.
    pub is_idempotent: bool,
    /// Whether calls count against the limits of addresses and users.
    pub is_counted: bool,
}

/// The rules of all routes.
#[derive(Debug, Clone)]
pub struct Rules(Arc<HashMap<String, HashMap<Method, Rule>>>);

impl Rules {
    /// Reads them from the document; fails at a route that declares nothing, or what there is not.
    pub fn of(document: &OpenApi) -> anyhow::Result<Self> {
        let document = serde_json::to_value(document)?;
        let mut rules: HashMap<String, HashMap<Method, Rule>> = HashMap::new();
        let paths = document["paths"].as_object().context("the API document has no paths")?;
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                let method: Method = method.to_uppercase().parse()?;
                let rule = Rule::of(path, operation).with_context(|| format!("{method} {path}"))?;
                rules.entry(path.clone()).or_default().insert(method, rule);
            }
        }
        Ok(Self(Arc::new(rules)))
    }

    fn find(&self, path: &str, method: &Method) -> Option<&Rule> {
        let methods = self.0.get(path)?;
        // What answers GET answers HEAD.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        methods.get(method)
    }
}

impl Rule {
    fn of(path: &str, operation: &Value) -> anyhow::Result<Self> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut headers = parameters.filter(|one| one["in"] == "header");
        Ok(Self {
            access: Access::of(&operation["security"])?,
            limit: RouteLimit::of(&operation[rate::EXTENSION])?,
            is_idempotent: headers.any(|one| one["name"] == super::idempotency::HEADER),
            // Monitors and edges have limits of their own.
            is_counted: path.starts_with("/api/"),
        })
    }
}

impl Access {
    fn of(security: &Value) -> anyhow::Result<Self> {
        let [declared] = security.as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err(anyhow!("security: one requirement has to be declared"));
        };
        let declared = declared.as_object().context("security: no requirement")?;
        match declared.iter().next() {
            None => Ok(Self::Public),
            Some((scheme, _)) if scheme == "edge" => Ok(Self::Edge),
            Some((scheme, _)) if scheme == "device" => Ok(Self::Device),
            Some((scheme, scopes)) if scheme == "bearer" => {
                let scopes = scopes.as_array().into_iter().flatten().filter_map(Value::as_str);
                let permissions = scopes.map(|name| {
                    Permission::named(name).with_context(|| format!("no permission {name:?}"))
                });
                Ok(Self::User(permissions.collect::<anyhow::Result<_>>()?))
            }
            Some((scheme, _)) => Err(anyhow!("security: no scheme {scheme:?}")),
        }
    }
}

/// Lets through who may, within the limits; tells both in the headers of the answer.
pub async fn gate(
    State((app, rules)): State<(App, Rules)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let Some(rule) = rules.find(route.as_str(), request.method()) else {
        // The route answers 405; it has no other methods than those of the document.
        return next.run(request).await;
    };
    if let Err(error) = check_version(request.headers()) {
        return error.into_response();
    }
    let from = request.extensions().get::<ClientAddress>().copied();
    if rule.access == Access::Device {
        return admit_device(&app, rule, from, route.as_str(), request, next).await;
    }
    // A request with its body cannot be shared with what waits.
    let token = bearer(request.headers()).map(str::to_owned);
    let (caller, allowance) = match admit(&app, rule, token, from, route.as_str()).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused.into_response(),
    };
    let owner = caller.as_ref().map(|caller| caller.user);
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    let response = if rule.is_idempotent {
        Box::pin(super::idempotency::once(&app, owner, request, next)).await
    } else {
        next.run(request).await
    };
    allowance.written_to(response)
}

/// Clients may say which version they were made for; there is one.
fn check_version(headers: &HeaderMap) -> Result<()> {
    let asked = ["accept-version", "x-api-version"].iter().find_map(|name| headers.get(*name));
    match asked.map(HeaderValue::as_bytes) {
        None | Some(b"1" | b"v1" | b"1.0") => Ok(()),
        Some(_) => Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "unsupported_version")
            .detail("this is version 1 of the API")
            .into()),
    }
}

/// Who calls, if the route asks for it.
async fn admit(
    app: &App,
    rule: &Rule,
    token: Result<String>,
    from: Option<ClientAddress>,
    route: &str,
) -> Result<(Option<Caller>, Allowance), Refused> {
    let Access::User(needed) = &rule.access else {
        let allowance = app.rates.anonymous(app, rule, from, route).await?;
        return Ok((None, allowance));
    };
    let caller = match identify(app, token, from).await {
        Ok(caller) => caller,
        Err(error) => {
            let allowance = app.rates.anonymous(app, rule, from, route).await?;
            return Err(Refused { error, allowance });
        }
    };
    let allowance = app.rates.user(app, rule, &caller, route).await?;
    match needed.iter().find(|permission| !caller.has(**permission)) {
        None => Ok((Some(caller), allowance)),
        Some(_) => Err(Refused { error: Error::Forbidden, allowance }),
    }
}

/// Lets a device through that proves itself; who does not is counted for its address.
async fn admit_device(
    app: &App,
    rule: &Rule,
    from: Option<ClientAddress>,
    route: &str,
    mut request: Request,
    next: Next,
) -> Response {
    let claim = credential::claimed(request.headers());
    let known = match claim {
        Ok(claim) => credential::identify(app, &claim).await,
        Err(error) => Err(error),
    };
    let counted = match &known {
        Ok(caller) => app.rates.device(app, rule, caller.device, route).await,
        Err(_) => app.rates.anonymous(app, rule, from, route).await,
    };
    let allowance = match counted {
        Ok(allowance) => allowance,
        Err(refused) => return refused.into_response(),
    };
    match known {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            allowance.written_to(next.run(request).await)
        }
        Err(error) => Refused { error, allowance }.into_response(),
    }
}

async fn identify(app: &App, token: Result<String>, from: Option<ClientAddress>) -> Result<Caller> {
    accounts::identify(app, &token?, from).await
}

/// An error, and what is left of the allowance.
pub struct Refused {
    pub error: Error,
    pub allowance: Allowance,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.allowance.written_to(self.error.into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_declared_is_what_is_asked() {
        let access = |security: Value| Access::of(&security);

        assert_eq!(access(json!([{}])).unwrap(), Access::Public);
        assert_eq!(access(json!([{"edge": []}])).unwrap(), Access::Edge);
        assert_eq!(access(json!([{"device": []}])).unwrap(), Access::Device);
        assert_eq!(access(json!([{"bearer": []}])).unwrap(), Access::User(vec![]));
        let needed = vec![Permission::ReadMachines];
        assert_eq!(access(json!([{"bearer": ["read:machines"]}])).unwrap(), Access::User(needed));
    }

    #[test]
    fn a_route_that_declares_nothing_or_what_there_is_not_is_a_fault() {
        for security in [
            json!(null),
            json!([]),
            json!([{"bearer": ["fly"]}]),
            json!([{"cookie": []}]),
            json!([{}, {"bearer": []}]),
        ] {
            assert!(Access::of(&security).is_err(), "{security}");
        }
    }

    #[test]
    fn every_route_declares_what_it_needs() {
        Rules::of(&crate::router::document()).unwrap();
    }
}
