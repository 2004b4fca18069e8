//! Builds the checks of all labs, and all answers: one generated package with a program for each, so that one `cargo
//! build` does it, with nix compiled once.

use crate::answer::{Answer, Change, Lab};
use crate::changed::changed;
use nanoserde::DeJson;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What was built.
pub struct Built {
    /// Test binaries by package, `solution-zombie`.
    pub checks: BTreeMap<String, PathBuf>,
    /// Programs by the title of their answer; a program in C is missing where there is no compiler.
    pub programs: BTreeMap<String, PathBuf>,
    /// Why an answer has no source, by its title.
    pub unfit: BTreeMap<String, String>,
}

/// The sources of all answers, as files.
pub struct Sources {
    /// Titles by the names of their binaries.
    titles: BTreeMap<String, String>,
    /// The files in which an answer differs from the solution.
    pub changed: Vec<PathBuf>,
    /// Why an answer has no source, by its title.
    pub unfit: BTreeMap<String, String>,
}

#[derive(DeJson)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<String>,
    manifest_path: Option<String>,
}

#[derive(DeJson)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// Builds everything for these labs.
pub fn build(labs: &[Lab]) -> Result<Built, String> {
    let root = &labs.first().ok_or("there are no labs")?.root;
    let packages: Vec<String> = labs
        .iter()
        .flat_map(|lab| [lab.package("lab"), lab.package("solution")])
        .collect();
    let mut tests = cargo(root);
    tests.args(["test", "--no-run", "--quiet", "--message-format=json"]);
    tests.args(packages.iter().flat_map(|package| ["--package", package]));
    let mut checks = BTreeMap::new();
    for (message, target, executable) in executables(&mut tests)? {
        let manifest = message.manifest_path.unwrap_or_default();
        let is_stub = Path::new(&manifest).starts_with(root.join("labs"));
        let kind = if is_stub { "lab" } else { "solution" };
        if target.kind == ["test"] {
            checks.insert(format!("{kind}-{}", target.name), executable);
        }
    }
    let sources = lay_out(labs)?;
    let mut programs = rust_programs(root, &sources)?;
    programs.extend(c_programs(labs)?);
    Ok(Built {
        checks,
        programs,
        unfit: sources.unfit,
    })
}

/// Where cargo builds: `target`.
fn target() -> &'static Path {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).stderr(Stdio::inherit());
    command
}

fn executables(command: &mut Command) -> Result<Vec<(Message, Target, PathBuf)>, String> {
    let output = command.output().map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        let told = |line: &str| {
            let start = line.find("\"rendered\":\"")? + 12;
            Some(line[start..].replace("\\n", "\n"))
        };
        let words: Vec<String> = text.lines().filter_map(told).collect();
        return Err(format!(
            "cargo could not build the answers:\n{}",
            words.join("\n")
        ));
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut message =
            Message::deserialize_json(line).map_err(|error| format!("cargo's message: {error}"))?;
        if message.reason != "compiler-artifact" {
            continue;
        }
        if let (Some(target), Some(executable)) = (message.target.take(), message.executable.take()) {
            found.push((message, target, executable.into()));
        }
    }
    Ok(found)
}

/// Writes the generated package: its manifest, and the sources of each answer in Rust.
pub fn lay_out(labs: &[Lab]) -> Result<Sources, String> {
    let root = &labs.first().ok_or("there are no labs")?.root;
    let package = target().join("answers");
    let told = |error: io::Error| format!("{}: {error}", package.display());
    let workspace = fs::read_to_string(root.join("Cargo.toml")).map_err(told)?;
    let mut manifest = manifest(&workspace)?;
    let mut sources = Sources {
        titles: BTreeMap::new(),
        changed: Vec::new(),
        unfit: BTreeMap::new(),
    };
    for answer in labs.iter().flat_map(Lab::answers) {
        if matches!(answer.change, Change::Whole) {
            continue;
        }
        let name = answer.title().replace([' ', '/'], "-");
        match changed(&answer) {
            Err(why) => drop(sources.unfit.insert(answer.title(), why)),
            Ok(changed) => {
                let written = write_sources(&answer, &changed, &package.join(&name)).map_err(told)?;
                sources.changed.extend(written);
                let _ = write!(
                    manifest,
                    "\n[[bin]]\nname = \"{name}\"\npath = \"{name}/main.rs\"\n"
                );
                sources.titles.insert(name, answer.title());
            }
        }
    }
    write_if_new(&package.join("Cargo.toml"), manifest.as_bytes()).map_err(told)?;
    if !package.join("Cargo.lock").exists() {
        let lock = fs::read(root.join("Cargo.lock")).map_err(told)?;
        write_if_new(&package.join("Cargo.lock"), &lock).map_err(told)?;
    }
    Ok(sources)
}

/// The head of the manifest, with the workspace's nix and profile.
fn manifest(workspace: &str) -> Result<String, String> {
    let nix = workspace
        .lines()
        .find(|line| line.starts_with("nix = "))
        .ok_or("Cargo.toml names no nix")?;
    let profile = workspace
        .find("[profile.")
        .map_or("", |start| &workspace[start..]);
    Ok(format!(
        "[package]\nname = \"answers\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{nix}\n\n{profile}\n"
    ))
}

fn rust_programs(root: &Path, sources: &Sources) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut build = cargo(root);
    build.args([
        "build",
        "--quiet",
        "--offline",
        "--message-format=json",
        "--manifest-path",
    ]);
    build
        .arg(target().join("answers/Cargo.toml"))
        .arg("--target-dir")
        .arg(target());
    // A wrong answer may well leave something unused. (It must not be built anew for each change of the lints.)
    build.env("RUSTFLAGS", std::env::var("RUSTFLAGS").unwrap_or_default());
    build.env("FORKROOM_SNAPSHOTS", root.join("tests/snapshots"));
    let built = executables(&mut build)?;
    Ok(built
        .into_iter()
        .filter_map(|(_, bin, path)| Some((sources.titles.get(&bin.name)?.clone(), path)))
        .collect())
}

/// The solution's files, some of them changed; gives the paths of these.
fn write_sources(answer: &Answer, changed: &BTreeMap<String, String>, to: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(answer.lab.solution())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = to.join(&name);
        let mut text = match changed.get(&name) {
            Some(text) => text.clone(),
            None => fs::read_to_string(entry.path())?,
        };
        if name == "main.rs" {
            text = quiet(&text);
        }
        write_if_new(&path, text.as_bytes())?;
        if changed.contains_key(&name) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// What a wrong answer leaves unused is its own affair: no warnings. The attribute goes behind the header, so that no
/// line of the code moves.
fn quiet(text: &str) -> String {
    match text.find("\n\n") {
        Some(header) => format!(
            "{}\n#![allow(warnings)]\n{}",
            &text[..header],
            &text[header + 2..]
        ),
        None => format!("#![allow(warnings)]\n{text}"),
    }
}

/// A file that stays the same keeps its time, so that cargo builds only what has changed.
fn write_if_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, bytes)
}

/// Programs in C; none where there is no `cc`.
fn c_programs(labs: &[Lab]) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut programs = BTreeMap::new();
    for answer in labs.iter().flat_map(Lab::answers) {
        if !matches!(answer.change, Change::Whole) {
            continue;
        }
        let program = target()
            .join("answers")
            .join(answer.title().replace([' ', '/'], "-") + "-c");
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(&answer.path);
        match cc.output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(format!("cc: {error}")),
            Ok(output) if output.status.success() => drop(programs.insert(answer.title(), program)),
            Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
    Ok(programs)
}
