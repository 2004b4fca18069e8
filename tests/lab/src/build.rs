//! Builds a lab with cargo, and shows of that what a learner needs to see.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nanoserde::DeJson;

use crate::labs::Lab;
use crate::paint::Paint;
use crate::{Result, trouble, warn};

/// One line of cargo's JSON: an artifact that was built, or something the compiler says.
#[derive(DeJson)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<String>,
    message: Option<Diagnostic>,
}

#[derive(DeJson)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(DeJson)]
struct Diagnostic {
    level: String,
    message: String,
    rendered: Option<String>,
}

/// What came out of a build.
#[derive(Default)]
struct Outcome {
    checks: Option<PathBuf>,
    /// The compiler's own words: about the lab, or an error wherever it is.
    said: String,
    /// Whether an error was among them, so that nothing of cargo's has to be added.
    error: bool,
}

/// Builds the lab's program and its checks. Returns the checks' executable, or `None` where the code does not
/// compile: then the learner has read why.
pub fn build(root: &Path, lab: &Lab) -> Result<Option<PathBuf>> {
    let mut cargo = spawn(root, lab)?;
    let stderr = cargo.stderr.take();
    let package = lab.package();
    let listener = thread::spawn(move || follow(stderr, &package));
    let outcome = collect(cargo.stdout.take(), lab);
    let troubles = listener.join().unwrap_or_default();
    let status = cargo.wait().map_err(|e| trouble("cargo", e))?;
    warn(&outcome.said);
    if status.success() {
        return Ok(Some(
            outcome
                .checks
                .ok_or_else(|| trouble("cargo", "built no checks"))?,
        ));
    }
    if !outcome.error {
        warn(troubles);
    }
    Ok(None)
}

fn spawn(root: &Path, lab: &Lab) -> Result<Child> {
    let format = if Paint::on(&io::stderr()).is_on() {
        "json-diagnostic-rendered-ansi"
    } else {
        "json"
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "test",
        "--no-run",
        "--color=never",
        "--message-format",
        format,
        "--package",
        &lab.package(),
    ]);
    command.arg("--manifest-path").arg(root.join("Cargo.toml"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().map_err(|e| trouble("cargo", e))
}

/// Reads cargo's messages to their end.
fn collect(stdout: Option<impl Read>, lab: &Lab) -> Outcome {
    let mut outcome = Outcome::default();
    for line in stdout
        .into_iter()
        .flat_map(|pipe| BufReader::new(pipe).lines())
        .map_while(io::Result::ok)
    {
        if let Ok(message) = Message::deserialize_json(&line) {
            outcome.take(message, lab);
        }
    }
    outcome
}

impl Outcome {
    fn take(&mut self, message: Message, lab: &Lab) {
        let Some(target) = message.target else { return };
        match message.reason.as_str() {
            "compiler-artifact" if target.kind == ["test"] => {
                self.checks = message.executable.map(PathBuf::from)
            }
            "compiler-message" => self.hear(message.message, target.name == lab.package()),
            _ => {}
        }
    }

    /// Keeps what the compiler says, but its tallies ("aborting due to 2 previous errors").
    fn hear(&mut self, diagnostic: Option<Diagnostic>, of_lab: bool) {
        let Some(Diagnostic {
            level,
            message,
            rendered,
        }) = diagnostic
        else {
            return;
        };
        let error = level.starts_with("error");
        self.error |= error;
        let tally = message.starts_with("aborting due to ") || message.ends_with(" emitted");
        if (error || of_lab) && !tally {
            self.said.extend(rendered);
        }
    }
}

/// Passes on what cargo says about a long build while it lasts, and returns the rest: it is of interest only when
/// the build fails and the compiler has not said why.
fn follow(stderr: Option<impl Read>, package: &str) -> String {
    let mut rest = String::new();
    let lines = stderr
        .into_iter()
        .flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
    for line in lines.map_while(io::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        match status(&line) {
            Some(("Finished" | "Executable" | "Running" | "Fresh" | "Dirty", _)) => {}
            // The learner's own lab is what every run compiles: no news.
            Some(("Compiling", what)) if what.split(' ').next() == Some(package) => {}
            Some(_) => warn(format_args!("{line}\n")),
            None => rest.extend([&line, "\n"]),
        }
    }
    rest
}

/// A line like `   Compiling nix v0.31.3` in its two parts: cargo ends the first word in column 12.
fn status(line: &str) -> Option<(&str, &str)> {
    let (word, what) = line.split_at_checked(12)?;
    let word = word.trim_start();
    let verb =
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    (verb && what.starts_with(' ')).then(|| (word, what.trim_start()))
}
