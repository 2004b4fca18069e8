//! Judges a lab: builds it, and becomes its test binary, which runs the steps and prints the verdict.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitCode};

use crate::args::{Order, usage};
use crate::build::build;
use crate::labs::Kit;
use crate::{Result, reason, trouble};

/// Builds the lab, and judges what the order names.
pub fn judge(kit: &Kit, order: &Order) -> Result {
    let lab = kit.lab(&order.lab)?;
    if let Some(number) = order.step {
        kit.syllabus(lab)?.step(number)?;
    }
    let program = program(order.program.as_deref())?;
    let Some(checks) = build(&kit.root, lab)? else {
        return Ok(ExitCode::FAILURE);
    };

    let mut command = Command::new(&checks);
    command
        .arg("--steps")
        .env_remove("LAB_PROGRAM")
        .env_remove("LAB_PROGRESS");
    if order.all {
        command.arg("--all");
    }
    if let Some(number) = order.step {
        command.args(["--step", &number.to_string()]);
    }
    match program {
        // What another program can do says nothing about how far the learner is.
        Some(file) => command.env("LAB_PROGRAM", file),
        None => command.env("LAB_PROGRESS", kit.record("progress", lab)),
    };
    Err(trouble(checks.display(), command.exec()))
}

/// Runs the lab's program once under observation, and has its story told.
pub fn story(kit: &Kit, lab: &str, args: &[String]) -> Result {
    let lab = kit.lab(lab)?;
    let program = program(None)?;
    let Some(checks) = build(&kit.root, lab)? else {
        return Ok(ExitCode::FAILURE);
    };
    let mut command = Command::new(&checks);
    command.arg("--story").args(args).env_remove("LAB_PROGRAM");
    command.envs(program.map(|file| ("LAB_PROGRAM", file)));
    Err(trouble(checks.display(), command.exec()))
}

/// The program to judge in place of the lab's own, from the command line or else from `LAB_PROGRAM`, as the
/// checks take it when they are run by `cargo test`.
fn program(given: Option<&Path>) -> Result<Option<PathBuf>> {
    let environment = || {
        env::var_os("LAB_PROGRAM")
            .filter(|file| !file.is_empty())
            .map(PathBuf::from)
    };
    let Some(file) = given.map(Path::to_path_buf).or_else(environment) else {
        return Ok(None);
    };
    let found = fs::metadata(&file);
    let why = match &found {
        Err(e) => reason(e),
        Ok(meta) if meta.is_dir() => "it is a directory".into(),
        Ok(meta) if !meta.is_file() => "it is not a file".into(),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => "it is not executable".into(),
        Ok(_) => return absolute(&file).map(Some).map_err(|e| trouble(file.display(), e)),
    };
    usage(format!("`--program {}`: {why}", file.display()))
}
