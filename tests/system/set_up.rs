//! `packaging/setup.sh` where packages are missing: what it calls, what it says, and how it ends. The package manager is a
//! stand-in that writes down what it is asked; it sees a computer of its own, so nothing is installed.

use anyhow::{Context as _, Result};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const WRITES_DOWN: &str = "#!/bin/bash\necho \"$0 $*\" >> \"$CALLS\"\n";

/// A computer without strace and mosquitto.
struct Computer {
    folder: TempDir,
}

impl Computer {
    fn new() -> Result<Self> {
        let computer = Self { folder: tempfile::tempdir()? };
        fs::create_dir(computer.bin())?;
        for tool in ["bash", "env", "dirname", "rm", "tee", "chmod", "id", "cc", "git", "cat"] {
            let from = [Path::new("/usr/bin"), Path::new("/bin")].map(|folder| folder.join(tool));
            let from = from.iter().find(|tool| tool.exists()).context(tool)?;
            symlink(from, computer.bin().join(tool))?;
        }
        for tool in [
            "cargo",
            "cargo-nextest",
            "python3",
            "initdb",
            "pkg-config",
            "redis-server",
            "systemd-analyze",
            "debootstrap",
            "nfc-list",
            "nfc-mfultralight",
            "chromium",
            "chromedriver",
            "certutil",
        ] {
            computer.program(tool, "#!/bin/bash\n")?;
        }
        computer.program("apt-get", WRITES_DOWN)?;
        Ok(computer)
    }

    /// Puts a program in the place of what there was.
    fn program(&self, name: &str, text: &str) -> Result<()> {
        let path = self.bin().join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    fn set_up(&self) -> Result<Output> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/setup.sh");
        // An empty /usr/sbin of its own: the script looks there, and writes there.
        let script = format!(
            "mount -t tmpfs tmpfs /usr/sbin && export PATH='{}' && /bin/bash '{}'; status=$?; \
             echo left: /usr/sbin/*; exit $status",
            self.bin().display(),
            script.display()
        );
        Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", &script])
            .env("CALLS", self.folder.path().join("calls"))
            .output()
            .context("unshare, of util-linux, gives the test a computer of its own")
    }

    fn calls(&self) -> String {
        let calls = fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        calls.replace(&format!("{}/", self.bin().display()), "")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MISSING: &str = "mosquitto mosquitto-clients strace";

#[test]
fn root_gets_what_is_missing_and_no_service_is_started() -> Result<()> {
    let computer = Computer::new()?;
    // The installation sees the file that forbids to start services.
    computer.program(
        "apt-get",
        "#!/bin/bash\n/usr/sbin/policy-rc.d; echo \"apt-get $1, services: $?\" >> \"$CALLS\"\n\
         echo \"$*\" >> \"$CALLS\"\n",
    )?;

    let output = computer.set_up()?;

    assert!(output.status.success(), "{}", said(&output));
    let calls = computer.calls();
    let install = format!("install -y -qq --no-install-recommends {MISSING}");
    assert!(calls.contains(&install), "{calls}");
    assert!(calls.contains("apt-get install, services: 101"), "{calls}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("left: /usr/sbin/*"));
    Ok(())
}

#[test]
fn with_sudo_it_is_done_with_sudo() -> Result<()> {
    let computer = Computer::new()?;
    computer.program("id", "#!/bin/bash\necho 1000\n")?;
    let sudo = format!("{WRITES_DOWN}[ \"$1\" = -n ] && shift\nexec \"$@\"\n");
    computer.program("sudo", &sudo)?;
    computer.program("true", "#!/bin/bash\n")?;

    let output = computer.set_up()?;

    assert!(output.status.success(), "{}", said(&output));
    let calls = computer.calls();
    assert!(calls.contains("sudo apt-get update"), "{calls}");
    assert!(calls.contains(&format!("--no-install-recommends {MISSING}")), "{calls}");
    Ok(())
}

#[test]
fn who_may_not_install_is_told_what_to_type() -> Result<()> {
    let computer = Computer::new()?;
    computer.program("id", "#!/bin/bash\necho 1000\n")?;

    let output = computer.set_up()?;

    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains(&format!("Type: sudo apt-get install {MISSING}")), "{said}");
    assert_eq!(computer.calls(), "");
    Ok(())
}

#[test]
fn where_installing_fails_it_says_so_and_what_to_type() -> Result<()> {
    let computer = Computer::new()?;
    computer.program("apt-get", "#!/bin/bash\nexit 100\n")?;

    let output = computer.set_up()?;

    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("that failed. Type: sudo apt-get install"), "{said}");
    Ok(())
}

#[test]
fn without_a_package_manager_the_packages_are_named() -> Result<()> {
    let computer = Computer::new()?;
    fs::remove_file(computer.bin().join("apt-get"))?;

    let output = computer.set_up()?;

    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains(&format!("missing: {MISSING} (names of Debian packages)")), "{said}");
    Ok(())
}
