//! A lab: where it is, which program is judged, and its checks.

use crate::{
    run::Run,
    story::{Story, What},
    verdict::Verdict,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// A check: its name (`step_3_memory_when_fork_fails`) and what it does.
pub type Check = (&'static str, fn() -> Verdict);

/// Names functions as checks.
#[macro_export]
macro_rules! checks {
    ($($check:ident),* $(,)?) => { &[$((stringify!($check), $check as fn() -> $crate::Verdict)),*] };
}

/// The lab whose package this test file is compiled for: the stub's, or the reference solution's.
#[macro_export]
macro_rules! lab {
    () => {
        $crate::Lab {
            package: env!("CARGO_PKG_NAME"),
            directory: env!("CARGO_MANIFEST_DIR"),
            program: env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))),
            places: &[],
        }
    };
}

/// One lab, from the side of its checks. Made by [`lab!`].
#[derive(Clone, Copy)]
pub struct Lab {
    /// `lab-zombie` or `solution-zombie`.
    pub package: &'static str,
    /// The package's directory, `…/labs/03-zombie`.
    pub directory: &'static str,
    /// The package's own program.
    pub program: &'static str,
    /// Where the code of a check is, when no file is named after its step: what the check's name begins with, the file in
    /// `src`, and a piece of the line. The first that fits counts.
    pub places: &'static [(&'static str, &'static str, &'static str)],
}

impl Lab {
    /// The same lab, with [`Lab::places`].
    #[must_use]
    pub const fn with_places(self, places: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Self { places, ..self }
    }

    /// The lab's name, `zombie`: also what its error lines begin with.
    pub fn name(&self) -> &'static str {
        self.package
            .split_once('-')
            .map_or(self.package, |(_, name)| name)
    }

    /// Number and name, `03-zombie`.
    pub fn slug(&self) -> &'static str {
        self.directory.rsplit('/').next().unwrap_or_default()
    }

    /// The number, `3`.
    pub fn number(&self) -> usize {
        self.slug()
            .split('-')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    }

    /// The number of the lab behind this one. `None`: this is the last.
    pub fn next(&self) -> Option<usize> {
        let next = self.number() + 1;
        let directory = format!("{next:02}-");
        let mut labs = std::fs::read_dir(self.root().join("labs")).ok()?.flatten();
        let found = labs.any(|lab| lab.file_name().to_string_lossy().starts_with(&directory));
        found.then_some(next)
    }

    /// The top of the project.
    pub(crate) fn root(&self) -> &'static Path {
        Path::new(self.directory)
            .ancestors()
            .nth(2)
            .unwrap_or(Path::new("/"))
    }

    /// What is judged: `LAB_PROGRAM`, or the package's own program.
    pub fn subject(&self) -> PathBuf {
        foreign().unwrap_or_else(|| self.program.into())
    }

    /// The learner judges something else than the package's own program.
    pub(crate) fn is_foreign(&self) -> bool {
        foreign().is_some()
    }

    /// The program is the reference solution, whose stories are kept.
    pub(crate) fn is_reference(&self) -> bool {
        self.package.starts_with("solution-") && !self.is_foreign()
    }

    /// A run of the judged program with these arguments.
    pub fn command(&self, args: &[&str]) -> Run {
        Run::new(&self.subject(), args)
    }

    /// Each of these command lines is refused with exit status 2, a line on standard error, and nothing else.
    ///
    /// # Errors
    /// A refusal of the first that was not.
    pub fn wrong_usage(&self, command_lines: &[&[&str]]) -> Verdict {
        command_lines
            .iter()
            .try_for_each(|args| self.command(args).run()?.expect_usage_error())
    }

    /// Compares the story, process by process, with the one that is kept in `tests/snapshots`, when this is the reference
    /// solution. What a learner does differently and rightly is no fault, so for everybody else it says nothing.
    ///
    /// # Panics
    /// When the story has changed; `just review` accepts the change.
    pub fn snapshot(&self, name: &str, story: &Story) {
        self.compare(name, story, &story.by_process());
    }

    /// As [`Lab::snapshot`], of a server and one peer, whose ports chance has given.
    ///
    /// # Panics
    /// As [`Lab::snapshot`].
    pub fn snapshot_of_server(&self, name: &str, story: &Story, server: SocketAddr, peer: SocketAddr) {
        let mut story = story.clone();
        let (server, peer) = (server.to_string(), peer.to_string());
        for event in &mut story.events {
            if let What::Calls(call) = &mut event.what {
                call.text = call.text.replace(&peer, "PEER").replace(&server, "ADDR");
            }
        }
        self.snapshot(name, &story);
    }

    /// As [`Lab::snapshot`], and in front of it what was printed: for a step whose lines have one possible order.
    ///
    /// # Panics
    /// As [`Lab::snapshot`].
    pub fn snapshot_with_output(&self, name: &str, story: &Story) {
        self.compare(
            name,
            story,
            &format!("{}\n{}", story.named(&story.stdout()), story.by_process()),
        );
    }

    fn compare(&self, name: &str, story: &Story, text: &str) {
        if !self.is_reference() || story.unobserved.is_some() {
            return;
        }
        let text = text.replace(&story.directory, "DIR");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(self.root().join("tests/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("{}__{name}", self.name()), text));
    }
}

/// Another executable to judge; set and empty is not set.
fn foreign() -> Option<PathBuf> {
    std::env::var_os("LAB_PROGRAM")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}
