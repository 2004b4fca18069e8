//! Runs a lab's benchmark: of lab 4 with the learner's own programs for the steps that pass, and the reference's for the
//! others; of lab 6 with none of them.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use crate::args::usage;
use crate::build::build;
use crate::labs::{Kit, Lab};
use crate::progress::{Mark, Progress};
use crate::{Result, trouble, warn};

/// What a lab's benchmark measures.
#[derive(PartialEq)]
enum Bench {
    /// The lab's servers.
    Programs,
    /// The kernel.
    Kernel,
}

pub fn bench(kit: &Kit, word: &str, quick: bool) -> Result {
    let lab = kit.lab(word)?;
    let bench = match lab.name.as_str() {
        "poll" => Bench::Programs,
        "unix" => Bench::Kernel,
        _ => {
            return usage(format!(
                "lab {} has no benchmark, labs 4 and 6 have one",
                lab.number
            ));
        }
    };
    let mut steps = Vec::new();
    if bench == Bench::Programs {
        let Some(own) = own(kit, lab)? else {
            return Ok(ExitCode::FAILURE);
        };
        let solution = format!("solution-{}", lab.name);
        let mut build = cargo(kit, "build", ".");
        build.args(["--package", &lab.package(), "--package", &solution]);
        if !built(build)? {
            return Ok(ExitCode::FAILURE);
        }
        steps = own;
    }
    if !built(cargo(kit, "build", "tests/bench"))? {
        return Ok(ExitCode::FAILURE);
    }
    let mut run = cargo(kit, "run", "tests/bench");
    run.args(["--quiet", "--", &lab.number.to_string()]);
    run.arg("--to").arg(kit.target().join("forkroom"));
    if !steps.is_empty() {
        run.args(["--own", &steps.join(",")]);
    }
    if quick {
        run.arg("--quick");
    }
    Err(trouble("cargo", run.exec()))
}

/// Judges the lab; returns the names of the steps that pass, or `None` where the code does not compile.
fn own(kit: &Kit, lab: &Lab) -> Result<Option<Vec<String>>> {
    warn(format_args!("judging your lab {} first …\n", lab.number));
    let Some(checks) = build(&kit.root, lab)? else {
        return Ok(None);
    };
    let mut judge = Command::new(&checks);
    judge
        .args(["--steps", "--all"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    judge
        .env_remove("LAB_PROGRAM")
        .env("LAB_PROGRESS", kit.record("progress", lab));
    let status = judge.status().map_err(|e| trouble(checks.display(), e))?;
    if !matches!(status.code(), Some(0 | 1)) {
        return Err(trouble(checks.display(), format!("no verdict, {status}")));
    }
    let progress = Progress::read(kit, lab);
    let steps = kit.syllabus(lab)?.steps.into_iter();
    let passed = steps.filter(|step| progress.mark(step) == Mark::Passed);
    Ok(Some(passed.map(|step| step.name).collect()))
}

/// Cargo, in one of the kit's workspaces. What is measured is optimised, and looked for next to the benchmark itself.
fn cargo(kit: &Kit, what: &str, workspace: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args([what, "--release", "--manifest-path"])
        .arg(kit.root.join(workspace).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(kit.target());
    command
}

fn built(mut build: Command) -> Result<bool> {
    Ok(build.status().map_err(|e| trouble("cargo", e))?.success())
}
