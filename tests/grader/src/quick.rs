//! A run that nobody watches, for tables of many cases: where only the answer counts, an observation costs five times as
//! much as the program, and adds nothing. The program is contained as in any other run: a witness starts it, which is its
//! subreaper, its limiter and its killer.
//!
//! A run that does not come to its end by itself, within the limits and leaving nobody behind, is made a second time, and
//! observed: that one is judged. So what the time decides here is only whether one looks again.

use crate::{
    lab::Lab,
    plan::{Plan, as_characters, from_characters},
    run::{self, Quick, Run, broken},
    story::{End, Story},
    verdict::{Refusal, Verdict},
    witness::{self, Ran},
};
use std::{cell::RefCell, io, ops::Deref};

/// After so many seconds a run is looked at more closely.
const PATIENCE: u64 = 2;
/// How much it may print, in bytes: more than the largest case of any table.
const MOST: usize = 4 << 20;

thread_local! {
    /// The witness of this thread's quick runs, and the program that it was started for.
    static WITNESS: RefCell<Option<(String, Quick)>> = const { RefCell::new(None) };
}

impl Lab {
    /// Runs the judged program with these arguments, which need not be text, and with nothing on its standard input.
    /// The story has no events.
    ///
    /// # Errors
    /// [`Refusal::Undone`] when it reached a `todo!`; a refusal when it did not end; [`Refusal::Broken`] when it could not
    /// be started.
    pub fn quick(&self, args: &[&[u8]]) -> Verdict<Story> {
        let mut plan = Run::new(&self.subject(), &[]).output(MOST).seconds(PATIENCE).plan;
        (plan.bytes, plan.quick) = (true, true);
        plan.command = vec![as_characters(self.subject().as_os_str().as_encoded_bytes())];
        let args: Vec<String> = args.iter().map(|arg| as_characters(arg)).collect();
        match ask(&plan, args.clone()).map_err(broken)? {
            Some(ran) => told(&plan, &args, ran),
            None => look_again(plan, args),
        }
    }
}

/// The answer of this thread's witness; it stays for the next case.
fn ask(plan: &Plan, args: Vec<String>) -> io::Result<Option<Ran>> {
    WITNESS.with_borrow_mut(|witness| {
        let program = &plan.command[0];
        let (_, quick) = match witness.take().filter(|(of, _)| of == program) {
            Some(there) => witness.insert(there),
            None => witness.insert((program.clone(), Quick::start(plan)?)),
        };
        let ran = quick.run(args);
        if ran.is_err() {
            *witness = None;
        }
        ran
    })
}

/// The story of a run that came to its end.
fn told(plan: &Plan, args: &[String], ran: Ran) -> Verdict<Story> {
    let mut story = witness::blank(plan, End::Over);
    story.command = command(plan, args);
    story.directory = "\0".to_owned(); // none of its own; and no text has this in it
    story.stdout = from_characters(&ran.stdout);
    story.stderr = from_characters(&ran.stderr);
    story.status = ran.status;
    if let Some((step, place)) = run::undone(&story.stderr()) {
        let ran = story.ran();
        return Err(Refusal::Undone { step, place, ran });
    }
    Ok(story)
}

/// Observed, and with the time that any run has.
fn look_again(mut plan: Plan, args: Vec<String>) -> Verdict<Story> {
    let shown = command(&plan, &args);
    plan.quick = false;
    plan.command.extend(args);
    let mut story = Run { plan }.seconds(30).run()?.deref().clone();
    story.command = shown;
    story.expect_over()?;
    Ok(story)
}

/// As a shell would show it.
fn command(plan: &Plan, args: &[String]) -> Vec<String> {
    let quoted = |arg: &String| {
        let arg = from_characters(arg);
        match str::from_utf8(&arg) {
            Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
            _ => format!("$'{}'", arg.escape_ascii()),
        }
    };
    plan.command
        .iter()
        .cloned()
        .chain(args.iter().map(quoted))
        .collect()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !"\\'\"<>!?*".contains(c)
}
