//! Where values come from, and that every wrong one is refused by name.

use super::*;
use serde_json::json;
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        fs::write(place.secret(), "s3cret\n").unwrap();
        place
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn load(&self, agent: &str, rest: &str) -> Result<Config, String> {
        let file = self.folder.path().join("bridge.toml");
        let secret = self.secret();
        let text =
            format!("[agent]\nusername = \"b-1\"\npassword_file = {secret:?}\n{agent}\n{rest}");
        fs::write(&file, text).unwrap();
        Config::load(Some(&file), json!({})).map_err(|error| {
            assert!(error.is::<BadConfig>());
            error.to_string()
        })
    }

    fn refused(&self, agent: &str, rest: &str) -> String {
        self.load(agent, rest).unwrap_err()
    }
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let place = Place::new();
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/config/firmware-bridge.toml");
    let flags = json!({ "agent": { "password_file": place.secret() } });

    let example_text = fs::read_to_string(&example).unwrap();
    let example = Config::load(Some(&example), flags).unwrap();

    let tables = [scanner_table, nfc_table, door_table, keyboard_table, board_table, csafe_table];
    let tables = tables.map(|table| table("")).concat();
    let minimal = place.load("", &tables).unwrap();
    assert_eq!(example.queue, minimal.queue);
    assert_eq!(example.log, minimal.log);
    assert_eq!(example.agent.host, minimal.agent.host);
    assert_eq!(example.agent.port(), minimal.agent.port());
    assert_eq!(example.agent.keep_alive_s, minimal.agent.keep_alive_s);
    assert_eq!(example.agent.ca_file, minimal.agent.ca_file);
    let (shown, default) = (&example.scanner[0], &minimal.scanner[0]);
    assert_eq!(
        (shown.baud, shown.ending, shown.repeat_ms),
        (default.baud, default.ending, default.repeat_ms)
    );
    let (shown, default) = (&example.nfc[0], &minimal.nfc[0]);
    assert_eq!(
        (shown.driver, shown.baud, &shown.sun),
        (default.driver, default.baud, &default.sun)
    );
    assert_eq!(example.door[0].limits(), minimal.door[0].limits());
    let console = (example.csafe[0].baud, example.csafe[0].quirks.as_str());
    assert_eq!(console, (minimal.csafe[0].baud, "treadmill"));
    let keys = json!(minimal);
    let sections = ["agent", "queue", "log"].map(|section| &keys[section]);
    let devices =
        ["scanner", "nfc", "door", "keyboard", "board", "csafe"].map(|section| &keys[section][0]);
    for section in sections.into_iter().chain(devices) {
        for key in section.as_object().unwrap().keys() {
            assert!(example_text.contains(&format!("{key} = ")), "{key} is not in the example");
        }
    }
}

#[test]
fn the_example_shows_the_defaults_of_keyboards_and_boards() {
    let place = Place::new();
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/config/firmware-bridge.toml");
    let flags = json!({ "agent": { "password_file": place.secret() } });

    let example = Config::load(Some(&example), flags).unwrap();

    let minimal = place.load("", &(keyboard_table("") + &board_table(""))).unwrap();
    let (shown, default) = (&example.keyboard[0], &minimal.keyboard[0]);
    assert_eq!((shown.layout, shown.repeat_ms), (default.layout, default.repeat_ms));
    let (shown, default) = (&example.board[0], &minimal.board[0]);
    assert_eq!((shown.baud, shown.sets()), (default.baud, default.sets()));
}

#[test]
fn every_wrong_key_of_a_keyboard_or_board_is_refused_by_name() {
    let place = Place::new();

    let refusals = [
        (place.refused("", &keyboard_table("layout = \"fr\"")), "keyboard.0.layout"),
        (place.refused("", &keyboard_table("baud = 1")), "keyboard.0.baud: unknown key"),
        (place.refused("", &keyboard_table("").repeat(2)), "keyboard.code: typed is there twice"),
        (place.refused("", &board_table("baud = 1")), "board.baud"),
        (place.refused("", &board_table("set_pause_s = 5")), "board.set_pause_s"),
        (place.refused("", &board_table("min_rom_mm = 10")), "board.min_rom_mm"),
        (place.refused("", &board_table("").repeat(2)), "board.code: press-1 is there twice"),
        (
            place.refused("", &(nfc_table("").replace("gate", "door") + &scanner_table(""))),
            "nfc.code: door is there twice",
        ),
        (
            place.refused(
                "",
                &(board_table("") + &csafe_table("").replace("code = \"bike", "code = \"press-1")),
            ),
            "csafe.code: press-1 is there twice",
        ),
    ];

    for (message, key) in refusals {
        assert!(message.contains(key), "{key}: {message}");
    }
}

fn keyboard_table(keys: &str) -> String {
    format!("[[keyboard]]\ncode = \"typed\"\ndevice = \"/dev/typed\"\n{keys}\n")
}

fn board_table(keys: &str) -> String {
    format!("[[board]]\ncode = \"press-1\"\nport = \"/dev/press\"\n{keys}\n")
}

fn scanner_table(keys: &str) -> String {
    format!("[[scanner]]\ncode = \"door\"\nport = \"/dev/door\"\n{keys}\n")
}

fn nfc_table(keys: &str) -> String {
    format!("[[nfc]]\ncode = \"gate\"\nport = \"/dev/nfc\"\n{keys}\n")
}

fn door_table(keys: &str) -> String {
    format!("[[door]]\nreaders = [\"door\"]\nline = \"GPIO17\"\n{keys}\n")
}

fn csafe_table(keys: &str) -> String {
    format!("[[csafe]]\ncode = \"bike\"\nport = \"/dev/bike\"\nquirks = \"bike\"\n{keys}\n")
}

#[test]
fn flags_override_the_file() {
    let place = Place::new();
    let file = place.folder.path().join("bridge.toml");
    fs::write(
        &file,
        format!(
            "[agent]\nhost = \"a\"\nport = 1\nusername = \"b\"\npassword_file = {:?}",
            place.secret()
        ),
    )
    .unwrap();

    let config = Config::load(Some(&file), json!({ "agent": { "port": 2 } })).unwrap();

    assert_eq!((config.agent.host.as_str(), config.agent.port()), ("a", 2));
}

#[test]
fn tls_moves_the_default_port() {
    let place = Place::new();

    let config = place.load("ca_file = \"/etc/gymwire/branch-ca.pem\"", "").unwrap();

    assert_eq!(config.agent.port(), 8883);
}

#[test]
fn every_wrong_key_is_refused_by_name() {
    let place = Place::new();

    let refusals = [
        (place.refused("hots = \"x\"", ""), "agent.hots: unknown key"),
        (place.refused("port = 70000", ""), "agent.port"),
        (place.refused("port = 0", ""), "agent.port"),
        (place.refused("host = \" \"", ""), "agent.host"),
        (place.refused("keep_alive_s = 1", ""), "agent.keep_alive_s"),
        (place.refused("server_name = \"x\"", ""), "agent.server_name"),
        (place.refused("", "[qeue]\n"), "qeue: unknown key"),
        (place.refused("", "[queue]\nmax_bytes = 10"), "queue.max_bytes"),
        (place.refused("", "[queue]\npath = \"\""), "queue.path"),
        (place.refused("", "[log]\nformat = \"xml\""), "log.format"),
        (place.refused("", "[log]\nlevel = \"a=b=c\""), "log.level"),
        (place.refused("", &scanner_table("boud = 1")), "scanner.0.boud: unknown key"),
        (place.refused("", &scanner_table("baud = 1")), "scanner.baud"),
        (place.refused("", &scanner_table("ending = \"lf\"")), "scanner.0.ending"),
        (
            place.refused("", &scanner_table("").replace("door\"\np", "Door 1\"\np")),
            "scanner.0.code",
        ),
        (
            place.refused("", &scanner_table("").replace("port", "# port")),
            "scanner.0.port: is missing",
        ),
        (place.refused("", &scanner_table("").repeat(2)), "scanner.code: door is there twice"),
        (place.refused("", &nfc_table("").repeat(2)), "nfc.code: gate is there twice"),
        (place.refused("", &nfc_table("driver = \"usb\"")), "nfc.0.driver"),
        (place.refused("", &nfc_table("sun.enc = \"a&b\"")), "nfc.sun.enc"),
        (place.refused("", &door_table("").replace("GPIO17", "unix:relay")), "door.0.line"),
        (place.refused("", &door_table("").replace("\"door\"", "")), "door.readers"),
        (place.refused("", &door_table("").repeat(2)), "door.readers: door is there twice"),
        (place.refused("", &door_table("green = \"GPIO17\"")), "door.line: GPIO17 is there twice"),
        (place.refused("", &door_table("open_ms = 20000")), "door.open_ms"),
        (place.refused("", &door_table("max_open_ms = 99999")), "door.max_open_ms"),
        (place.refused("", &door_table("hold_ms = 20000000")), "door.hold_ms"),
        (place.refused("", &door_table("max_hold_ms = 90000000")), "door.max_hold_ms"),
        (place.refused("", &csafe_table("boud = 1")), "csafe.0.boud: unknown key"),
        (place.refused("", &csafe_table("baud = 1")), "csafe.baud"),
        (place.refused("", &csafe_table("").replace("\"bike\"\n\n", "\"bake\"\n")), "csafe.quirks"),
        (place.refused("", &csafe_table("").repeat(2)), "csafe.code: bike is there twice"),
    ];

    for (message, key) in refusals {
        assert!(
            message.starts_with("configuration: ") && message.contains(key),
            "{key}: {message}"
        );
    }
}

#[test]
fn a_missing_or_empty_secret_is_refused_by_name() {
    let place = Place::new();
    fs::write(place.secret(), "\n").unwrap();
    let empty = place.refused("", "");
    fs::remove_file(place.secret()).unwrap();
    let missing = place.refused("", "");

    assert!(empty.contains("agent.password_file") && empty.contains("is empty"), "{empty}");
    assert!(missing.contains("agent.password_file"), "{missing}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = Config::load(Some(Path::new("/nonexistent/x.toml")), json!({})).unwrap_err();

    assert!(error.is::<BadConfig>() && error.to_string().contains("/nonexistent/x.toml"));
}
