//! Chromium over `WebDriver`: chromedriver as a process of its own and the few calls that tests need.
//!
//! Chromium trusts the authority of the branch as a member of staff would make it trust it, so that its own check of the
//! page's certificate is part of every test.

use crate::process::Process;
use crate::{ports, wait};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long chromedriver and chromium may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The key under which `WebDriver` tells elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An element of the page that is shown.
#[derive(Debug, Clone)]
pub struct Element(pub(super) String);

/// A chromium of its own: nothing is shared with others.
#[derive(Debug)]
pub struct Driver {
    session: String,
    // Its chromium ends with it, see `start`.
    _process: Process,
    _home: TempDir,
}

impl Driver {
    /// Starts it. It trusts what `roots` (PEM) say, and nobody else.
    pub async fn start(roots: Option<&str>) -> Result<Self> {
        let home = tempfile::tempdir()?;
        if let Some(roots) = roots {
            trust(home.path(), roots).await?;
        }
        let address = ports::free()?;
        let env = [("HOME", home.path().display().to_string())];
        // With its process namespace every chromium ends that it has started, however the test ends.
        let arguments =
            ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let port = format!("--port={}", address.port());
        let arguments = arguments.into_iter().chain(["chromedriver", &port]);
        let log = home.path().join("chromedriver.log");
        let mut process = Process::start_other(Path::new("unshare"), arguments, &env, &log)?;
        let base = format!("http://{address}");
        wait::until_true("chromedriver answers", START_LIMIT, || {
            let alive = process.ensure_alive();
            let status = format!("{base}/status");
            async move {
                alive?;
                let answer: Value = crate::http::client().get(status).send().await?.json().await?;
                Ok(answer["value"]["ready"] == true)
            }
        })
        .await
        .context("chromium and chromedriver are needed: see packaging/setup.sh")?;
        let made = send(&format!("{base}/session"), &capabilities(home.path())).await;
        let made = made.with_context(|| process.tail())?;
        let id = made["sessionId"].as_str().context("chromedriver gives no session")?;
        let session = format!("{base}/session/{id}");
        Ok(Self { session, _process: process, _home: home })
    }

    /// A call that changes something.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        send(&format!("{}/{path}", self.session), body).await
    }

    /// A call that only asks.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = crate::http::client().get(format!("{}/{path}", self.session)).send().await?;
        value(answer.json().await?)
    }

    /// Calls something of the developer tools' protocol.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Result<Value> {
        let call = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", &call).await
    }

    /// Runs the body of a function in the page; what it returns.
    pub async fn script(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/sync", &json!({"script": body, "args": arguments})).await
    }

    /// The same, for what returns an element or nothing.
    pub async fn find(&self, body: &str, arguments: &[Value]) -> Result<Option<Element>> {
        let found = self.script(body, arguments).await?;
        Ok(found[ELEMENT].as_str().map(|id| Element(id.to_owned())))
    }
}

impl Element {
    /// As an argument of a script.
    pub fn argument(&self) -> Value {
        json!({ELEMENT: self.0})
    }
}

fn capabilities(home: &Path) -> Value {
    let profile = home.join("profile");
    let arguments = [
        "--headless=new".to_owned(),
        // It is root in a namespace of its own, where its sandbox has nothing to give up.
        "--no-sandbox".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-gpu".to_owned(),
        "--force-color-profile=srgb".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--window-size=1280,900".to_owned(),
        format!("--user-data-dir={}", profile.display()),
    ];
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "acceptInsecureCerts": false,
        "goog:chromeOptions": {"args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }}})
}

/// Puts the branch's authority into the certificates of the user whose home this is.
async fn trust(home: &Path, roots: &str) -> Result<()> {
    let store = home.join(".pki/nssdb");
    std::fs::create_dir_all(&store)?;
    let pem = home.join("roots.pem");
    std::fs::write(&pem, roots)?;
    let folder = format!("sql:{}", store.display());
    certutil(&["-d", &folder, "-N", "--empty-password"], &pem).await?;
    certutil(&["-d", &folder, "-A", "-t", "C,,", "-n", "branch", "-i"], &pem).await
}

async fn certutil(arguments: &[&str], file: &Path) -> Result<()> {
    let mut command = Command::new("certutil");
    command.args(arguments);
    if arguments.ends_with(&["-i"]) {
        command.arg(file);
    }
    let done = command.stdin(Stdio::null()).output().await;
    let done = done.context("certutil is needed (Debian package libnss3-tools)")?;
    ensure!(done.status.success(), "certutil: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

async fn send(url: &str, body: &Value) -> Result<Value> {
    let answer = crate::http::client().post(url).json(body).send().await?;
    value(answer.json().await?)
}

fn value(mut answer: Value) -> Result<Value> {
    let value = answer["value"].take();
    if let Some(error) = value["error"].as_str() {
        bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
    }
    Ok(value)
}
