//! Lab 7, the chat room: the steps, what each wants of a program, and how the kernel proves it.

use grader::{Lab, Verdict, checks, lab};
use std::process::ExitCode;

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![step_1_network_wrong_usage])
}

// Step 1, network. One program, two roles: a server that says where it is, and a client that is told.

fn step_1_network_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &[],
        &["peer"],
        &["server", "nowhere"],
        &["client", "127.0.0.1"],
        &["server", "127.0.0.1:0", "more"],
    ])
}
