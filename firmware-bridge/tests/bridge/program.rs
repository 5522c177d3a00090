//! The real program: exit codes, systemd, and `kill -9`.

use crate::broker::{Broker, OK, unused_port};
use crate::until;
use firmware_bridge::emulators::scanner::{Scanner, Style};
use protocol::credential::Credential;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_firmware-bridge"));
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with a secret, and the arguments of a bridge in it.
struct Place {
    folder: TempDir,
    port: u16,
}

impl Place {
    fn new(port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret").unwrap();
        Self { folder, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Command {
        let mut run = program();
        run.arg("run")
            .args(["--username", "bridge-1", "--agent-port", &self.port.to_string()])
            .arg("--password-file")
            .arg(self.path("secret"))
            .arg("--queue-path")
            .arg(self.path("queue"))
            .args(["--scanner", &format!("door={}", self.path("usb-door").display())]);
        run
    }
}

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn help_version_and_probe_work_without_configuration() {
    let help = output(&["--help"]);
    let version = output(&["--version"]);
    let probe = output(&["probe", "--quiet"]);

    assert!(help.status.success() && text(&help.stdout).contains("probe"));
    assert!(text(&version.stdout).starts_with("firmware-bridge 0."));
    assert!(probe.status.success() && !probe.stdout.is_empty());
}

#[test]
fn bad_usage_and_bad_configuration_end_with_2_and_name_the_key() {
    let place = Place::new(1883);
    let file = place.path("bridge.toml");
    std::fs::write(&file, "[agent]\nhots = \"x\"\n").unwrap();

    let usage = output(&["run", "--nonsense"]);
    let from_file = output(&["run", "--config", file.to_str().unwrap()]);
    let from_environment = place.run().env("GYMWIRE_QUEUE__MAX_BYTES", "ten").output().unwrap();
    let unknown_variable = place.run().env("GYMWIRE_QUEUE__MAX_BITES", "1").output().unwrap();

    assert_eq!(usage.status.code(), Some(2));
    assert_eq!(from_file.status.code(), Some(2));
    assert!(
        text(&from_file.stderr).contains("agent.hots: unknown key"),
        "{}",
        text(&from_file.stderr)
    );
    assert_eq!(from_environment.status.code(), Some(2));
    assert!(text(&from_environment.stderr).contains("queue.max_bytes"));
    assert_eq!(unknown_variable.status.code(), Some(2));
    assert!(text(&unknown_variable.stderr).contains("queue.max_bites"));
}

#[tokio::test]
async fn variables_of_other_programs_are_not_our_affair() {
    let place = Place::new(unused_port().await);
    let mut run = place.run();
    run.env("GYMWIRE_JOURNAL__MAX_BYTES", "1").env("GYMWIRE_DATABASE__URL", "postgres://x");

    let mut running = Running::start(run);
    until("its queue is there", || place.path("queue/queue").exists()).await;
    running.signal(Signal::TERM);

    assert!(running.ended().await.success());
}

#[tokio::test]
async fn systemd_is_told_and_sigterm_ends_with_0() {
    let place = Place::new(unused_port().await);
    let socket = place.path("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut run = place.run();
    run.env("NOTIFY_SOCKET", &socket);

    let mut running = Running::start(run);
    let mut message = [0; 64];
    let length = systemd.recv(&mut message).unwrap();
    running.signal(Signal::TERM);

    assert_eq!(text(&message[..length]).trim(), "READY=1");
    assert_eq!(running.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_bridge_on_the_same_queue_is_refused() {
    let place = Place::new(unused_port().await);
    let _first = Running::start(place.run());
    until("its queue is there", || place.path("queue/queue").exists()).await;

    let second = tokio::task::spawn_blocking(move || place.run().output().unwrap()).await.unwrap();

    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("another firmware-bridge"), "{}", text(&second.stderr));
}

fn is_kept(queue: &Path, code: &str) -> bool {
    let bytes = std::fs::read(queue.join("queue")).unwrap_or_default();
    bytes.windows(code.len()).any(|window| window == code.as_bytes())
}

#[tokio::test]
async fn a_tap_survives_kill_9_while_the_agent_is_away() {
    let place = Place::new(unused_port().await);
    let mut scanner = Scanner::plug_in(&place.path("usb-door"), Style::default()).unwrap();
    let mut first = Running::start(place.run());
    scanner.opened().await.unwrap();
    scanner.scan("G1survivor").await.unwrap();
    until("the tap is on disk", || is_kept(&place.path("queue"), "G1survivor")).await;

    first.signal(Signal::KILL);
    first.ended().await;
    scanner.plug_back().unwrap();
    let broker = Broker::start_at(place.port, None, |_| OK).await;
    let _second = Running::start(place.run());
    until("the tap arrives", || !broker.taps().is_empty()).await;

    let (_, tap) = broker.taps().remove(0);
    assert_eq!(tap.credential, Credential::Qr { code: "G1survivor".into() });
    assert!(tap.age_ms < u32::MAX, "same boot: the age is known");
}

#[tokio::test]
async fn a_full_disk_costs_no_tap_while_the_bridge_runs() {
    let place = Place::new(unused_port().await);
    let scanner = Scanner::plug_in(&place.path("usb-door"), Style::default()).unwrap();
    let run = place.run();
    let mut limited = Command::new("sh");
    // Files end after two blocks, and the write gives an error instead of a signal.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""]);
    limited.arg(run.get_program()).args(run.get_args());
    let _running = Running::start(limited);
    scanner.opened().await.unwrap();
    let codes: Vec<String> = (0..20).map(|number| format!("G1full-disk-{number:02}")).collect();

    for code in &codes {
        scanner.scan(code).await.unwrap();
    }
    let broker = Broker::start_at(place.port, None, |_| OK).await;
    until("the taps arrive", || broker.taps().len() >= codes.len()).await;

    let code = |credential| match credential {
        Credential::Qr { code } => code,
        other => panic!("{other:?}"),
    };
    let arrived: Vec<String> =
        broker.taps().into_iter().map(|(_, tap)| code(tap.credential)).collect();
    assert_eq!(arrived, codes);
    let statuses = broker.log.lock().unwrap();
    let told = |text: &str| {
        let has = |payload: &[u8]| payload.windows(text.len()).any(|part| part == text.as_bytes());
        statuses.publishes.iter().any(|publish| has(&publish.payload))
    };
    assert!(told("kept in memory only"), "the agent is told that the disk is full");
}

#[tokio::test]
async fn log_lines_are_json_if_that_is_configured() {
    let place = Place::new(unused_port().await);
    let mut bridge = place.run().env("GYMWIRE_LOG__FORMAT", "json").spawn().unwrap();
    let mut line = String::new();
    BufReader::new(bridge.stderr.take().unwrap()).read_line(&mut line).unwrap();
    bridge.kill().unwrap();
    bridge.wait().unwrap();

    let line: serde_json::Value = serde_json::from_str(&line).unwrap();

    assert!(line["level"].is_string() && line["message"].is_string(), "{line}");
}
