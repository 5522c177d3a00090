//! The operators' page without a browser: who gets in, who sees what, and what forms do.

mod acting;
mod guarding;
mod seeing;
mod signing_in;

use crate::gym::{Gym, PASSWORD};
use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::http::{Method, Request, header};
use cloud_api::domains::accounts::Role;
use cloud_api::ids::BranchId;
use std::collections::BTreeMap;
use tests::api::{Answer, Api};

const ORIGIN: &str = "http://gym.test";
/// A name that wants to be a script.
const NASTY: &str = "<script>alert('x')</script>\"'&";

/// A browser with its cookies.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
    /// What the forms of the page that was shown last carry.
    form_token: String,
}

impl Browser {
    async fn get(&mut self, api: &Api, path: &str) -> Result<Answer> {
        let answer = api.call(self.request(Method::GET, path).body(Body::empty())?).await?;
        self.keep(&answer);
        Ok(answer)
    }

    /// A form with the token of the page that was shown last.
    async fn submit(&mut self, api: &Api, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let token = self.form_token.clone();
        let fields = fields.iter().copied().chain([("form_token", token.as_str())]);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post(api, path, Some(ORIGIN), body).await
    }

    /// Whatever comes in place of a form.
    async fn post(
        &mut self,
        api: &Api,
        path: &str,
        origin: Option<&str>,
        body: String,
    ) -> Result<Answer> {
        let mut request = self.request(Method::POST, path);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let kind = "application/x-www-form-urlencoded";
        let request = request.header(header::CONTENT_TYPE, kind).body(Body::from(body))?;
        let answer = api.call(request).await?;
        self.keep(&answer);
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, it)| format!("{name}={it}")).collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "gym.test")
            .header(header::COOKIE, pairs.join("; "))
    }

    fn keep(&mut self, answer: &Answer) {
        let lines = answer.headers.get_all(header::SET_COOKIE).iter();
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let page = text(answer);
        if let Some((_, rest)) = page.split_once("name=\"form_token\" value=\"") {
            rest.split('"').next().unwrap_or_default().clone_into(&mut self.form_token);
        }
    }

    async fn sign_in(&mut self, api: &Api, email: &str, more: &[(&str, &str)]) -> Result<Answer> {
        self.get(api, "/console/sign-in").await?;
        let mut fields = vec![("email", email), ("password", PASSWORD)];
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(more);
        self.submit(api, "/console/sign-in", &fields).await
    }

    /// A browser of somebody new with this role, at the first page.
    async fn of(api: &Api, gym: &Gym, role: Role, at: &[BranchId]) -> Result<Self> {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        gym.user(api, &email, role, at).await?;
        let mut browser = Self::default();
        let answer = browser.sign_in(api, &email, &[]).await?;
        anyhow::ensure!(answer.status == 303, "{}", text(&answer));
        browser.get(api, "/console").await?;
        Ok(browser)
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn location(answer: &Answer) -> Result<&str> {
    Ok(answer.headers.get(header::LOCATION).context("leads nowhere")?.to_str()?)
}
