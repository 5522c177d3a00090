//! What is plugged in: serial ports as the kernel lists them, in words for whoever sets up a branch.

mod ask;
mod words;

pub use ask::{Answer, ask};
pub use words::report;

use rustix::io::Errno;
use std::fs;
use std::path::{Path, PathBuf};

/// A serial port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortEntry {
    /// Its name for now, e.g. `/dev/ttyACM0`; another one after the next plugging.
    pub device: PathBuf,
    /// Its names that stay, the one to configure first.
    pub stable_names: Vec<PathBuf>,
    /// The kernel's driver.
    pub driver: Option<String>,
    /// The USB device that it belongs to.
    pub usb: Option<Usb>,
    /// Whether this user may open it.
    pub access: Access,
}

/// What a USB device says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usb {
    /// Vendor and product number, as in `1a86:7523`.
    pub id: String,
    /// Maker and product in its own words.
    pub name: String,
    /// Serial number; many cheap devices have none.
    pub serial: Option<String>,
}

/// Whether a port can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It can.
    Allowed,
    /// This user may not.
    Forbidden,
    /// It is listed but not there.
    Missing,
}

/// The ports below `sys` (mostly `/sys`) and `dev` (mostly `/dev`), by name.
pub fn ports(sys: &Path, dev: &Path) -> Vec<PortEntry> {
    let mut ports: Vec<PortEntry> = names(&sys.join("class/tty"))
        .into_iter()
        .filter_map(|name| port(&sys.join("class/tty").join(&name), dev, &name))
        .collect();
    ports.sort_by(|a, b| a.device.cmp(&b.device));
    ports
}

/// A port that was named by whoever asks, listed or not.
pub fn named(port: &Path) -> PortEntry {
    PortEntry {
        device: port.to_owned(),
        stable_names: Vec::new(),
        driver: None,
        usb: None,
        access: access(port),
    }
}

fn port(tty: &Path, dev: &Path, name: &str) -> Option<PortEntry> {
    // Consoles and pseudo terminals have no device behind them.
    let behind = fs::canonicalize(tty.join("device")).ok()?;
    // The kernel lists four built-in ports whether a chip is there or not: type 0 means none.
    if text(&tty.join("type")).is_some_and(|kind| kind == "0") {
        return None;
    }
    let device = dev.join(name);
    Some(PortEntry {
        stable_names: stable_names(dev, &device),
        driver: behind.ancestors().find_map(driver),
        usb: behind.ancestors().find_map(usb),
        access: access(&device),
        device,
    })
}

/// Built-in ports have layers named `port` and `ctrl` in front of the driver that tells something.
fn driver(folder: &Path) -> Option<String> {
    let driver = fs::canonicalize(folder.join("driver")).ok()?;
    let name = driver.file_name()?.to_str()?;
    (!["port", "ctrl"].contains(&name)).then(|| name.to_owned())
}

/// `by-id` survives another socket, `by-path` another device; clones without serial number need the latter.
fn stable_names(dev: &Path, device: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["serial/by-id", "serial/by-path"] {
        let folder = dev.join(folder);
        let target = fs::canonicalize(device).unwrap_or_else(|_| device.to_owned());
        let links = names(&folder).into_iter().map(|name| folder.join(name));
        found.extend(links.filter(|link| fs::canonicalize(link).is_ok_and(|to| to == target)));
    }
    found
}

fn usb(folder: &Path) -> Option<Usb> {
    let vendor = text(&folder.join("idVendor"))?;
    let product = text(&folder.join("idProduct"))?;
    let words = ["manufacturer", "product"].map(|file| text(&folder.join(file)));
    Some(Usb {
        id: format!("{vendor}:{product}"),
        name: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        serial: text(&folder.join("serial")),
    })
}

/// Asks, and does not open: that alone resets some boards.
fn access(device: &Path) -> Access {
    match rustix::fs::access(device, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK) {
        Ok(()) => Access::Allowed,
        Err(Errno::NOENT | Errno::NOTDIR) => Access::Missing,
        Err(_) => Access::Forbidden,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn text(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn file(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A computer with a QR scanner, a built-in port that is not there, and a console.
    fn computer() -> TempDir {
        let root = TempDir::new().unwrap();
        let (sys, dev) = (root.path().join("sys"), root.path().join("dev"));
        let usb = sys.join("devices/usb1/1-2");
        file(&usb.join("idVendor"), "0525\n");
        file(&usb.join("idProduct"), "a4a7\n");
        file(&usb.join("manufacturer"), "Newland\n");
        file(&usb.join("product"), "FM430 Scanner\n");
        file(&usb.join("serial"), "A1\u{7}B2\n");
        fs::create_dir_all(sys.join("bus/usb/drivers/cdc_acm")).unwrap();
        fs::create_dir_all(usb.join("1-2:1.0")).unwrap();
        symlink(sys.join("bus/usb/drivers/cdc_acm"), usb.join("1-2:1.0/driver")).unwrap();
        let tty = sys.join("class/tty");
        fs::create_dir_all(tty.join("ttyACM0")).unwrap();
        symlink(usb.join("1-2:1.0"), tty.join("ttyACM0/device")).unwrap();
        fs::create_dir_all(sys.join("devices/platform/serial8250")).unwrap();
        file(&tty.join("ttyS0/type"), "0\n");
        symlink(sys.join("devices/platform/serial8250"), tty.join("ttyS0/device")).unwrap();
        fs::create_dir_all(tty.join("tty0")).unwrap();
        file(&dev.join("ttyACM0"), "");
        fs::create_dir_all(dev.join("serial/by-id")).unwrap();
        symlink("../../ttyACM0", dev.join("serial/by-id/usb-Newland_FM430_A1B2-if00")).unwrap();
        root
    }

    #[test]
    fn a_scanner_is_listed_with_its_stable_name_and_nothing_else() {
        let computer = computer();
        let dev = computer.path().join("dev");

        let ports = ports(&computer.path().join("sys"), &dev);

        assert_eq!(
            ports,
            [PortEntry {
                device: dev.join("ttyACM0"),
                stable_names: vec![dev.join("serial/by-id/usb-Newland_FM430_A1B2-if00")],
                driver: Some("cdc_acm".into()),
                usb: Some(Usb {
                    id: "0525:a4a7".into(),
                    name: "Newland FM430 Scanner".into(),
                    serial: Some("A1B2".into()),
                }),
                access: Access::Allowed,
            }]
        );
        let report = report(&ports, &[]);
        assert!(report.contains("Newland FM430 Scanner (USB 0525:a4a7)"), "{report}");
        assert!(report.contains("by-id/usb-Newland_FM430_A1B2-if00\""), "{report}");
    }

    #[test]
    fn a_computer_without_ports_gets_advice() {
        let root = TempDir::new().unwrap();

        assert!(report(&ports(root.path(), root.path()), &[]).contains("keyboard mode"));
    }
}
