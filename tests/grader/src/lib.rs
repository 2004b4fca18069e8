//! Runs a program under observation, tells its story, and judges it by what the kernel saw.
//!
//! A check orders a run and asks the story for facts:
//!
//! ```ignore
//! fn step_1_twice() -> Verdict {
//!     let story = LAB.command(&["twice"]).hold_exits().run()?;
//!     story.expect_exit(0)?;
//!     story.expect_lines_in_any_order(&["before", "child: after", "parent: after"])?;
//!     story.expect_processes(&["main", "c1"])?;
//!     story.expect_all_reaped()
//! }
//! ```

#![warn(missing_docs)]

mod barrier;
mod connection;
mod datagram;
mod expect;
mod external;
mod facts;
mod harness;
mod lab;
mod look;
mod peer;
mod quick;
mod report;
mod run;
mod server;
mod still;
mod tell;
mod terminal;
mod verdict;
mod witness;
mod woken;

pub mod calls;
pub mod plan;
pub mod story;

pub use calls::{Blocking, Family};
pub use datagram::{Mailbox, is_bound, socket_at};
pub use external::external;
pub use lab::{Check, Lab};
pub use look::Look;
pub use nix::{errno::Errno, libc, sys::signal::Signal as SignalName};
pub use peer::{Peer, PeerEnd};
pub use run::{Run, Running, Told, WITNESS};
pub use server::{Server, Turn};
pub use still::{Party, until_still, until_still_with};
pub use story::{
    Call, End, Ending, Event, MAIN, Proc, Process, Release, Sleeper, Story, Traffic, Wait, What,
};
pub use terminal::Terminal;
pub use verdict::{Failure, Refusal, Verdict, both};

/// A new, empty directory, which is removed when the value is dropped: for what is to be there before a program starts, or
/// for several programs.
///
/// # Errors
/// [`Refusal::Broken`] when it cannot be made.
pub fn directory() -> Verdict<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("forkroom-").tempdir();
    made.map_err(|error| {
        Refusal::Broken(format!(
            "no temporary directory: {error}; make room there, or set TMPDIR"
        ))
    })
}

/// The first 4,096 bytes of a plain file, as text; `None` where there is none. Safe whatever a program has put there.
pub fn small_file(path: &std::path::Path) -> Option<String> {
    witness::small_file(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The signal's name, `SIGTERM`; a real-time signal or an unknown number as `signal 40`.
pub fn signal_name(number: i32) -> String {
    SignalName::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string())
}
