//! The branch's staff page as a browser uses it, without a window.

use crate::edge::Edge;
use crate::{process, wait};
use anyhow::{Context as _, Result, ensure};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Certificate, Client, Response};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;

const START_LIMIT: Duration = Duration::from_secs(10);

/// A browser.
#[derive(Debug)]
pub struct StaffPage {
    base: String,
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Edge {
    /// Lets somebody sign in at the staff page (`edge-agent staff add`); the password.
    pub async fn add_staff(&self, name: &str, role: &str) -> Result<String> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        let arguments = ["staff", "add", name, "--role", role, "--config", config];
        let said = process::output("edge-agent", arguments, &[]).await?;
        let password = said.lines().find_map(|line| line.strip_prefix("password"));
        Ok(password.context("no password was printed")?.trim().to_owned())
    }

    /// The same for somebody who may be there from an earlier start.
    pub async fn renew_staff(&self, name: &str) -> Result<String> {
        let config = self.config();
        let config = config.to_str().context("the path is UTF-8")?;
        let remove = ["staff", "remove", name, "--config", config];
        // Most often there is nobody of that name.
        let _ = process::output("edge-agent", remove, &[]).await;
        self.add_staff(name, "manager").await
    }

    /// Opens its page and signs in.
    pub async fn staff_page(&self, name: &str, password: &str) -> Result<StaffPage> {
        let address = self.ports().staff;
        // It opens a moment after the door.
        wait::until_true("the staff page opened", START_LIMIT, || async {
            Ok(TcpStream::connect(address).await.is_ok())
        })
        .await?;
        let base = format!("https://{address}");
        let mut page = StaffPage::new(base, &self.ca().await?)?;
        page.sign_in(name, password).await?;
        Ok(page)
    }
}

impl StaffPage {
    fn new(base: String, roots: &str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = Certificate::from_pem_bundle(roots.as_bytes())?;
        let client = Client::builder()
            .tls_certs_only(roots)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { base, client, cookies: BTreeMap::new() })
    }

    /// What comes back for a path; `accept` tells pages and streams apart.
    pub async fn open(&self, path: &str, accept: &str) -> Result<Response> {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header(COOKIE, self.cookie_line()).header("accept", accept);
        Ok(request.send().await?.error_for_status()?)
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> Result<()> {
        self.submit("/sign-in", "/sign-in", &[("name", name), ("password", password)]).await
    }

    /// Fills in a form of a page and sends it; anything but a redirect is an error.
    pub async fn submit(
        &mut self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<()> {
        let form = self.open(page, "text/html").await?;
        self.keep_cookies(&form);
        let text = form.text().await?;
        let token = text.split_once("name=\"form_token\" value=\"").context("no form")?.1;
        let token = token.split('"').next().unwrap_or_default();
        let fields = fields.iter().copied().chain([("form_token", token)]);
        let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{action}", self.base));
        let request = request
            .header(COOKIE, self.cookie_line())
            .header("origin", &self.base)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(fields);
        let answer = request.send().await?;
        ensure!(answer.status() == 303, "{action} was answered with {}", answer.status());
        self.keep_cookies(&answer);
        Ok(())
    }

    fn cookie_line(&self) -> String {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep_cookies(&mut self, response: &Response) {
        let lines = response.headers().get_all(SET_COOKIE).iter();
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
