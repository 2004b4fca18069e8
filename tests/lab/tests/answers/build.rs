//! Builds the checks of all labs, and all answers: one generated package with a program for each, so that one `cargo
//! build` does it, with nix compiled once.

use crate::answer::{Answer, Lab};
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
    let answers: Vec<Answer> = labs.iter().flat_map(Lab::answers).collect();
    let target = target_directory(&checks)?;
    let mut programs = rust_programs(root, &target, &answers)?;
    programs.extend(c_programs(&target, &answers)?);
    Ok(Built { checks, programs })
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

/// `…/target/debug/deps/zombie-1234` → `…/target`.
fn target_directory(checks: &BTreeMap<String, PathBuf>) -> Result<PathBuf, String> {
    let any = checks.values().next().ok_or("cargo built no checks")?;
    Ok(any.ancestors().nth(3).unwrap_or(Path::new("target")).to_owned())
}

fn rust_programs(
    root: &Path,
    target: &Path,
    answers: &[Answer],
) -> Result<BTreeMap<String, PathBuf>, String> {
    let package = target.join("answers");
    let told = |error: io::Error| format!("{}: {error}", package.display());
    let workspace = fs::read_to_string(root.join("Cargo.toml")).map_err(told)?;
    let nix = workspace
        .lines()
        .find(|line| line.starts_with("nix = "))
        .ok_or("Cargo.toml names no nix")?;
    let profile = workspace
        .find("[profile.")
        .map_or("", |start| &workspace[start..]);
    let mut manifest = format!(
        "[package]\nname = \"answers\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{nix}\n\n{profile}\n"
    );
    let mut titles = BTreeMap::new();
    for answer in answers {
        let Some(replaced) = &answer.replaces else {
            continue;
        };
        let name = answer.title().replace([' ', '/'], "-");
        let source = package.join(&name);
        write_sources(answer, replaced, &source).map_err(told)?;
        let _ = write!(
            manifest,
            "\n[[bin]]\nname = \"{name}\"\npath = \"{name}/main.rs\"\n"
        );
        titles.insert(name, answer.title());
    }
    write_if_new(&package.join("Cargo.toml"), manifest.as_bytes()).map_err(told)?;
    let lock = fs::read(root.join("Cargo.lock")).map_err(told)?;
    if !package.join("Cargo.lock").exists() {
        write_if_new(&package.join("Cargo.lock"), &lock).map_err(told)?;
    }
    let mut build = cargo(root);
    build.args([
        "build",
        "--quiet",
        "--offline",
        "--message-format=json",
        "--manifest-path",
    ]);
    build
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    // A wrong answer may well leave something unused. (It must not be built anew for each change of the lints.)
    build.env("RUSTFLAGS", std::env::var("RUSTFLAGS").unwrap_or_default());
    build.env("FORKROOM_SNAPSHOTS", root.join("tests/snapshots"));
    let built = executables(&mut build)?;
    Ok(built
        .into_iter()
        .filter_map(|(_, bin, path)| Some((titles.get(&bin.name)?.clone(), path)))
        .collect())
}

/// The solution's files, with one of them replaced.
fn write_sources(answer: &Answer, replaced: &str, to: &Path) -> io::Result<()> {
    let solution = answer
        .lab
        .root
        .join("solutions")
        .join(&answer.lab.slug)
        .join("src");
    let replaced = replaced.trim_start_matches("src/");
    for entry in fs::read_dir(solution)?.flatten() {
        let is_it = entry.file_name().to_str() == Some(replaced);
        let from = if is_it { answer.path.clone() } else { entry.path() };
        let mut text = fs::read_to_string(from)?;
        if replaced == "main.rs" && is_it || entry.file_name() == "main.rs" {
            text = quiet(&text);
        }
        write_if_new(&to.join(entry.file_name()), text.as_bytes())?;
    }
    Ok(())
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
fn c_programs(target: &Path, answers: &[Answer]) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut programs = BTreeMap::new();
    for answer in answers.iter().filter(|answer| answer.replaces.is_none()) {
        let program = target
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
