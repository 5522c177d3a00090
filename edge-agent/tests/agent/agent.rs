//! Starts the program under a service manager that is this test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// An agent's folder and settings.
#[derive(Clone)]
pub struct Agent {
    folder: Arc<TempDir>,
    settings: Vec<(String, String)>,
    ops: String,
}

/// A started agent; it is killed with this value.
pub struct Running {
    child: Child,
    pub systemd: Systemd,
}

/// What systemd hears.
pub struct Systemd(UnixDatagram);

impl Agent {
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self { folder, settings: Vec::new(), ops: String::new() }.other_ports()
    }

    /// The same folder, other ports.
    pub fn other_ports(&self) -> Self {
        let mut agent = self.clone();
        agent.ops = free_port();
        let ops = agent.ops.clone();
        agent = agent.with("ops.listen", &ops);
        agent = agent.with("mqtt.listen", "127.0.0.1:0").with("mqtt.tls_listen", "127.0.0.1:0");
        agent.with("staff.listen", "127.0.0.1:0")
    }

    /// Sets a configuration key.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        let name = format!("GYMWIRE_{}", key.replace('.', "__").to_uppercase());
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The environment of the program.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = self.settings.clone();
        let state = self.state().to_str().unwrap().to_owned();
        environment.push(("GYMWIRE_AGENT__STATE_DIR".to_owned(), state));
        environment
    }

    /// A service manager, and the name of its socket.
    pub fn systemd(&self) -> (Systemd, PathBuf) {
        let socket = self.folder().join("notify.sock");
        let _ = std::fs::remove_file(&socket);
        (Systemd(UnixDatagram::bind(&socket).unwrap()), socket)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Deeper than the path of a socket may be.
    pub fn state(&self) -> PathBuf {
        self.folder().join("a-deep-folder".repeat(9)).join("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
        command.args(arguments).envs(self.environment()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn output(&self, arguments: &[&str]) -> Output {
        timeout(PATIENCE, self.command(arguments).output()).await.unwrap().unwrap()
    }

    /// Starts the agent.
    pub fn run(&self) -> Running {
        let (systemd, socket) = self.systemd();
        let child = self
            .command(&["run"])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "30000000")
            .spawn()
            .unwrap();
        Running { child, systemd }
    }

    /// Starts the agent and waits until it serves.
    pub async fn ready(&self) -> Running {
        let running = self.run();
        assert_eq!(running.systemd.next().await, "READY=1");
        running
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("http://{}{path}", self.ops)).send().await.unwrap()
    }
}

impl Running {
    pub fn terminate(&self) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    pub async fn exit_code(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }
}

impl Systemd {
    /// The next thing it hears.
    pub async fn next(&self) -> String {
        let mut buffer = [0; 256];
        let length = timeout(PATIENCE, self.0.recv(&mut buffer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    }

    /// The next thing that is not this.
    pub async fn after(&self, old: &str) -> String {
        loop {
            let next = self.next().await;
            if next != old {
                return next;
            }
        }
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Serves the files of a folder over HTTP for as long as the test runs.
pub async fn serve_files(folder: PathBuf) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |axum::extract::Path(name): axum::extract::Path<String>| async move {
        std::fs::read(folder.join(name)).map_err(|_| axum::http::StatusCode::NOT_FOUND)
    };
    let router = axum::Router::new().route("/{name}", axum::routing::get(answer));
    let serving = async move { axum::serve(listener, router).await };
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(serving);
    url
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
