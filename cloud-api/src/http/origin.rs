//! Where a request comes from: for the audit log and the list of logins.

use super::observe::{ClientAddress, RequestId};
use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use std::convert::Infallible;
use std::net::Ipv4Addr;

/// What a request says of its sender.
#[derive(Debug, Clone)]
pub struct Origin {
    pub address: ClientAddress,
    pub request_id: RequestId,
    /// As the client calls itself, at most 200 characters of it.
    pub user_agent: Option<String>,
}

impl Origin {
    /// Where only the address is known.
    pub fn of(address: Option<ClientAddress>) -> Self {
        let address = address.unwrap_or(ClientAddress(Ipv4Addr::UNSPECIFIED.into()));
        Self { address, request_id: RequestId("".into()), user_agent: None }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let address = ClientAddress::from_request_parts(parts, state).await?;
        let request_id = parts.extensions.get::<RequestId>().cloned();
        let user_agent = parts.headers.get(header::USER_AGENT).map(|text| {
            let text = String::from_utf8_lossy(text.as_bytes());
            text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
        });
        let request_id = request_id.unwrap_or_else(|| RequestId("".into()));
        Ok(Self { address, request_id, user_agent })
    }
}

const MAX_USER_AGENT: usize = 200;
