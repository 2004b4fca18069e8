//! What it costs to be observed: `/bin/true` under the witness, beside `/bin/true` started and waited for by the standard
//! library, in turns.

use grader::{Lab, Run, checks};
use std::{
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

const LAB: Lab = Lab {
    package: env!("CARGO_PKG_NAME"),
    directory: env!("CARGO_MANIFEST_DIR"),
    program: "/bin/true",
    places: &[],
};

const ROUNDS: usize = 300;

fn main() -> ExitCode {
    if std::env::var_os(grader::WITNESS).is_some() {
        return LAB.main(checks![]);
    }
    let rounds = (0..ROUNDS).map(|_| (time(plain), time(observed)));
    let (plain, observed): (Vec<Duration>, Vec<Duration>) = rounds.unzip();
    let (plain, observed) = (median(plain), median(observed));
    let more = observed.saturating_sub(plain);
    println!("/bin/true, medians of {ROUNDS}: plain {plain:.1?}, observed {observed:.1?}: {more:.1?} more");
    ExitCode::SUCCESS
}

fn plain() -> bool {
    Command::new("/bin/true")
        .status()
        .is_ok_and(|status| status.success())
}

fn observed() -> bool {
    let told = Run::new(Path::new("/bin/true"), &[]).run();
    told.is_ok_and(|told| told.expect_exit(0).is_ok())
}

fn time(run: fn() -> bool) -> Duration {
    let start = Instant::now();
    assert!(run(), "/bin/true did not come to its end with 0");
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
