//! A kit in a temporary directory: a workspace with no dependencies, so that it is built at once, and offline.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use tempfile::TempDir;

const WORKSPACE: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"labs/01-toy\"]\n";

const TOY: &str = r#"
[package]
name = "lab-toy"
edition = "2024"
autotests = false

[[bin]]
name = "lab-toy"
path = "src/main.rs"
test = false

[[test]]
name = "toy"
path = "../../tests/01_toy.rs"
harness = false
"#;

/// Stands for a lab's checks: tells how it was called, and ends with the status that the kit names.
const CHECKS: &str = r#"
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("called with {}", arguments.join(" "));
    for name in ["LAB_PROGRAM", "LAB_PROGRESS"] {
        println!("{name}={}", std::env::var(name).unwrap_or("(not set)".into()));
    }
    println!("pid {}", std::process::id());
    let status = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/status"));
    std::process::exit(status.map_or(0, |status| status.parse().unwrap()));
}
"#;

const TOY_HINTS: &str = "\
# Lab 1 · toy: a lab to play with
## 1 one
Asks for one thing, and shows it.

- The first hint of one.
- The second hint of one.
## 2 two
Asks for another thing.
- The only hint of two.
";

const GAME_HINTS: &str = "\
# Lab 2 · game: a lab to look at
## 1 start
Asks for a start.
- The hint of start.
";

pub struct Kit {
    dir: TempDir,
}

impl Kit {
    pub fn new() -> Self {
        let kit = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        kit.write("Cargo.toml", WORKSPACE);
        kit.write("labs/01-toy/Cargo.toml", TOY);
        kit.write("labs/01-toy/src/main.rs", "fn main() {}\n");
        kit.write(
            "labs/01-toy/src/two.rs",
            "// Not compiled: a place to look for.\n",
        );
        kit.write("labs/02-game/src/main.rs", "fn main() {}\n");
        kit.write("tests/01_toy.rs", CHECKS);
        kit.write("tests/hints/01-toy.md", TOY_HINTS);
        kit.write("tests/hints/02-game.md", GAME_HINTS);
        kit
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Leaves the record that the checks of a lab would leave, now.
    pub fn judged(&self, lab: &str, record: &str) {
        self.write(&format!("target/forkroom/progress/{lab}"), record);
    }

    /// Sets a file's time to `seconds` from now, as if it had been written then.
    pub fn touch(&self, name: &str, seconds: u64) {
        let later = SystemTime::now() + Duration::from_secs(seconds);
        File::options()
            .append(true)
            .open(self.path(name))
            .unwrap()
            .set_modified(later)
            .unwrap();
    }

    pub fn executable(&self, name: &str) -> PathBuf {
        self.write(name, "#!/bin/sh\n");
        fs::set_permissions(self.path(name), Permissions::from_mode(0o755)).unwrap();
        self.path(name)
    }

    /// `cargo lab ARGS` in this kit; words are separated by spaces.
    pub fn lab(&self, args: &str) -> Command {
        self.lab_in(self.dir.path(), args)
    }

    pub fn lab_in(&self, dir: &Path, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(args.split_whitespace()).current_dir(dir);
        command.env("CARGO_MANIFEST_DIR", self.path("tests/lab"));
        command.env("CARGO_TARGET_DIR", self.path("target"));
        // A home of its own: the lock of the common one would make cargo say "Blocking" now and then.
        command
            .env("CARGO_HOME", self.path("home"))
            .env("CARGO_NET_OFFLINE", "true");
        for name in [
            "LAB_PROGRAM",
            "LAB_PROGRESS",
            "NO_COLOR",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
        ] {
            command.env_remove(name);
        }
        command
    }
}
