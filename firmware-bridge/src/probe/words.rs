//! What was found, in words of whoever sets up a branch, with the lines to paste into the configuration.

use super::{Access, Answer, PortEntry};
use protocol::ids::Code;
use protocol::serial::probe::Peer;
use std::fmt::Write;
use std::path::Path;

/// The list for people; with `answers`, one for each port, what was found there and how to configure it.
pub fn report(ports: &[PortEntry], answers: &[Answer]) -> String {
    if ports.is_empty() {
        return "No serial port found. Is the device plugged in? A QR scanner may still be in keyboard mode:\n\
                scan the code \"USB COM\" (or \"USB virtual serial\") of its manual.\n"
            .to_owned();
    }
    let mut out = String::new();
    for (number, port) in ports.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = write_port(&mut out, port);
        if let Some(answer) = answers.get(number) {
            let _ = write_answer(&mut out, port, answer);
        }
    }
    out
}

fn write_port(out: &mut String, port: &PortEntry) -> std::fmt::Result {
    writeln!(out, "{}", port.device.display())?;
    if let Some(usb) = &port.usb {
        let name = if usb.name.is_empty() { "without a name" } else { &usb.name };
        writeln!(out, "  device:    {name} (USB {})", usb.id)?;
        let serial = usb
            .serial
            .as_deref()
            .unwrap_or("none: two of its kind can only be told apart by socket");
        writeln!(out, "  serial no: {serial}")?;
    }
    let driver = port.driver.as_deref().unwrap_or("unknown");
    writeln!(out, "  kind:      {} (driver {driver})", kind(driver))?;
    writeln!(out, "  configure: port = \"{}\"", name(port).display())?;
    for other in port.stable_names.iter().skip(1) {
        writeln!(out, "  or:        port = \"{}\"", other.display())?;
    }
    match port.access {
        Access::Allowed => writeln!(out, "  access:    allowed"),
        Access::Forbidden => {
            writeln!(
                out,
                "  access:    not allowed for this user; add it to the group of the port (mostly dialout)"
            )
        }
        Access::Missing => writeln!(out, "  access:    not there"),
    }
}

fn kind(driver: &str) -> &'static str {
    match driver {
        "cdc_acm" => {
            "USB device with a serial port of its own: most QR scanners and microcontroller boards"
        }
        "ch341" | "ch341-uart" => "USB serial adapter (CH340)",
        "cp210x" => "USB serial adapter (CP210x)",
        "ftdi_sio" => "USB serial adapter (FTDI)",
        "pl2303" => "USB serial adapter (PL2303)",
        "uart-pl011" | "bcm2835-aux-uart" => {
            "pins of the Raspberry Pi; switch its serial console off first"
        }
        "serial" | "serial8250" | "of_serial" | "dw-apb-uart" => "built-in serial port",
        _ => "serial port",
    }
}

fn write_answer(out: &mut String, port: &PortEntry, answer: &Answer) -> std::fmt::Result {
    writeln!(out, "  found:     {}", found(answer))?;
    let lines = match answer {
        Answer::Peer(Peer::CardReader { .. }) => "[[nfc]]\ncode = \"door-1\"",
        Answer::Peer(Peer::Console { .. }) => "[[csafe]]\ncode = \"treadmill-1\"",
        Answer::Peer(Peer::Board { hello: Some((code, _)) }) if Code::is_valid(code) => {
            &format!("[[board]]\ncode = \"{code}\"")
        }
        Answer::Peer(Peer::Board { .. }) => "[[board]]\ncode = \"rack-1\"",
        Answer::Peer(Peer::Stranger { is_text: true }) | Answer::Silence => {
            "[[scanner]]\ncode = \"door-1\""
        }
        _ => return Ok(()),
    };
    writeln!(out, "  to use it, with its code in the registry:")?;
    for line in lines.lines() {
        writeln!(out, "      {line}")?;
    }
    writeln!(out, "      port = \"{}\"", name(port).display())
}

fn found(answer: &Answer) -> String {
    match answer {
        Answer::Peer(Peer::CardReader { chip: 0x32, version: (major, minor) }) => {
            format!("card reader (NFC) with a PN532, firmware {major}.{minor}")
        }
        Answer::Peer(Peer::CardReader { chip, version: (major, minor) }) => {
            format!("card reader (NFC) with chip PN5{chip:02X}, firmware {major}.{minor}")
        }
        Answer::Peer(Peer::Console { maker, class, model }) => {
            format!("console of a machine (CSAFE), maker {maker}, class {class}, model {model}")
        }
        Answer::Peer(Peer::Board { hello: Some((code, firmware)) }) => {
            let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
            format!("board of Gymwire for {}, firmware {}", clean(code), clean(firmware))
        }
        Answer::Peer(Peer::Board { hello: None }) => "board of Gymwire, at work".to_owned(),
        Answer::Peer(Peer::Stranger { is_text: true }) => {
            "something that sends text, probably a QR scanner".to_owned()
        }
        Answer::Peer(Peer::Stranger { is_text: false }) => {
            "something that speaks another language, or at another speed".to_owned()
        }
        Answer::Silence => {
            "nobody answers; if it is there and has power, it is probably a QR scanner, which \
                            speaks when something is scanned"
                .to_owned()
        }
        Answer::InUse(program) => format!("in use by {program}: not asked"),
        Answer::Failed(why) => format!("could not be asked: {why}"),
    }
}

/// The name to configure.
fn name(port: &PortEntry) -> &Path {
    port.stable_names.first().unwrap_or(&port.device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::named;

    fn said(peer: Peer) -> String {
        report(&[named("/dev/ttyX0".as_ref())], &[Answer::Peer(peer)])
    }

    #[test]
    fn what_was_found_comes_with_the_lines_to_paste() {
        let board = said(Peer::Board { hello: Some(("rack-7".into(), "1.0\u{1b}[2J".into())) });
        let reader = said(Peer::CardReader { chip: 0x32, version: (1, 6) });
        let console = said(Peer::Console { maker: 22, class: 2, model: 5 });
        let scanner = report(&[named("/dev/ttyX0".as_ref())], &[Answer::Silence]);

        let lines = |kind: &str, code: &str| {
            format!("      [[{kind}]]\n      code = \"{code}\"\n      port = \"/dev/ttyX0\"\n")
        };
        assert!(board.ends_with(&lines("board", "rack-7")) && !board.contains('\u{1b}'), "{board}");
        assert!(reader.ends_with(&lines("nfc", "door-1")), "{reader}");
        assert!(reader.contains("PN532, firmware 1.6"), "{reader}");
        assert!(console.ends_with(&lines("csafe", "treadmill-1")), "{console}");
        assert!(scanner.ends_with(&lines("scanner", "door-1")), "{scanner}");
    }

    #[test]
    fn a_port_in_use_is_left_alone_and_said_so() {
        let in_use = Answer::InUse("firmware-bridge (process 7)".into());

        let report = report(&[named("/dev/ttyX0".as_ref())], &[in_use]);

        assert!(report.ends_with("in use by firmware-bridge (process 7): not asked\n"), "{report}");
    }
}
