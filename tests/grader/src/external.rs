//! A program from outside that talks with a server under judgement: curl, a browser, socat.

use crate::verdict::{Refusal, Verdict};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

/// How long it may take, in seconds. Nobody is refused for that: whoever takes longer has not been checked.
const PATIENCE: &str = "60";

/// Runs it with this on its standard input; answers its exit status and what it printed.
///
/// # Errors
/// Not checked where there is no such program, or when it does not come to its end.
pub fn external(program: &str, args: &[&str], input: &[u8]) -> Verdict<Output> {
    let not_checked = |what: String| Refusal::NotChecked(format!("{program}: {what}"));
    let mut child = Command::new("timeout")
        .args(["-k", "1", PATIENCE, program])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| not_checked(format!("timeout: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input); // who does not read it to its end says by his exit status why
    }
    let output = child
        .wait_with_output()
        .map_err(|error| not_checked(error.to_string()))?;
    // As timeout(1) tells them; 143 is what busybox's tells when the time is over.
    match output.status.code() {
        Some(126 | 127) => Err(not_checked(
            "it cannot be started here; install it to have this checked".to_owned(),
        )),
        None | Some(124 | 125 | 137 | 143) => {
            Err(not_checked(format!("it had not ended after {PATIENCE} seconds")))
        }
        _ => Ok(output),
    }
}
