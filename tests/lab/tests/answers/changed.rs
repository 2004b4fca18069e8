//! The source of an answer: the files of the solution that it replaces, or that its patch changes.

use crate::answer::{Answer, Change};
use diffy::{
    Hunk, Line, Patch,
    patch_set::{FilePatch, ParseOptions, PatchSet},
};
use libtest_mimic::Failed;
use std::{collections::BTreeMap, fs};

/// The changed files, text by name (`page.rs`).
///
/// # Errors
/// When a patch does not fit the solution any more, or is none: says which, where, and what to do.
pub fn changed(answer: &Answer) -> Result<BTreeMap<String, String>, String> {
    let root = &answer.lab.root;
    let path = answer.path.strip_prefix(root).unwrap_or(&answer.path);
    let place = path.display().to_string();
    let read = |file: &str| fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"));
    let name = |file: &String| file.trim_start_matches("src/").to_owned();
    match &answer.change {
        Change::Replaces(file) => Ok([(name(file), read(&place)?)].into()),
        Change::Changes(files) => {
            let named: Vec<_> = files
                .iter()
                .map(|file| format!("solutions/{}/{file}", answer.lab.slug))
                .collect();
            let texts = patched(&place, &read(&place)?, &named, read)?;
            Ok(files.iter().map(name).zip(texts).collect())
        }
        Change::Whole => Ok(BTreeMap::new()),
    }
}

/// The texts of the named files, in their order, changed as the patch at `place` says.
fn patched(
    place: &str,
    text: &str,
    named: &[String],
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<String>, String> {
    let patches: Vec<FilePatch<str>> = PatchSet::parse(text, ParseOptions::unidiff())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{place}: {error}{}", renewal(place)))?;
    let patches: Vec<&Patch<str>> = patches.iter().filter_map(|file| file.patch().as_text()).collect();
    let changed: Vec<&str> = patches.iter().filter_map(|patch| patch.original()).collect();
    if named != changed {
        return Err(format!(
            "{place}: its first line is about {}, and its diff about {}",
            named.join(", "),
            changed.join(", ")
        ));
    }
    // What stands behind a hunk that is counted wrong would be passed over in silence.
    let hunks: usize = patches.iter().map(|patch| patch.hunks().len()).sum();
    let headings = text.lines().filter(|line| line.starts_with("@@ -")).count();
    if hunks != headings {
        let renewal = renewal(place);
        return Err(format!(
            "{place}: of {headings} hunks {hunks} could be read{renewal}"
        ));
    }
    let texts = named.iter().zip(patches);
    texts
        .map(|(file, patch)| apply(place, file, &read(file)?, patch))
        .collect()
}

/// Line numbers say no more than where to look first: a hunk must fit at one place, and at no other.
fn apply(place: &str, file: &str, base: &str, patch: &Patch<str>) -> Result<String, String> {
    let of = patch.hunks().len();
    for (hunk, number) in patch.hunks().iter().zip(1..) {
        let fits = places(base, hunk);
        if fits == 0 {
            let lines: String = before(hunk).map(|line| format!("  | {line}")).collect();
            return Err(format!(
                "{place}: hunk {number} of {of} does not fit any more: {file} has no such lines\n{lines}{}",
                renewal(place)
            ));
        }
        if fits > 1 {
            return Err(format!(
                "{place}: hunk {number} of {of} fits {fits} places of {file}: give it more context (git diff -U9)"
            ));
        }
    }
    diffy::apply(base, patch).map_err(|error| format!("{place}: {error}{}", renewal(place)))
}

/// The lines that a hunk expects to find.
fn before<'a>(hunk: &Hunk<'a, str>) -> impl Iterator<Item = &'a str> {
    hunk.lines().iter().filter_map(|line| match line {
        Line::Context(line) | Line::Delete(line) => Some(*line),
        Line::Insert(_) => None,
    })
}

/// At how many places of the text they are.
fn places(base: &str, hunk: &Hunk<str>) -> usize {
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let before: Vec<&str> = before(hunk).collect();
    lines
        .windows(before.len().max(1))
        .filter(|here| *here == before)
        .count()
}

/// What to do about a patch that does not fit.
fn renewal(place: &str) -> String {
    format!(
        "\nWhat still fits: patch -p0 <{place}\nMake the rest of the mistake in the solution by hand, put `git diff --no-prefix \
         solutions` into {place} below its own words, and undo it: git checkout solutions"
    )
}

/// A patch changes what it fits, wherever that has moved to, and what does not fit is told.
pub fn spoilt_patches() -> Result<(), Failed> {
    let hunk = "--- page.rs\n+++ page.rs\n@@ -1,2 +1,2 @@\n b\n-c\n+C\n";
    let tried = |named: &str, text: &str, base: &str| {
        let result = patched("A.patch", text, &[named.to_owned()], |_| Ok(base.to_owned()));
        result.map_or_else(|why| why, |texts| texts.concat())
    };
    let surplus = format!("{hunk} d\n@@ -9 +9 @@\n-y\n+z\n");
    let cases = [
        (tried("page.rs", hunk, "a\nb\nc\nd\n"), "a\nb\nC\nd\n"),
        (
            tried("page.rs", hunk, "a\nb\nx\n"),
            "hunk 1 of 1 does not fit any more: page.rs has no such lines\n  | b\n  | c\n",
        ),
        (
            tried("page.rs", hunk, "b\nc\nb\nc\n"),
            "hunk 1 of 1 fits 2 places of page.rs",
        ),
        (
            tried("conn.rs", hunk, "b\nc\n"),
            "its first line is about conn.rs, and its diff about page.rs",
        ),
        (
            tried("page.rs", &surplus, "b\nc\n"),
            "A.patch: of 2 hunks 1 could be read",
        ),
        (tried("page.rs", "No diff.\n", "b\nc\n"), "A.patch: "),
    ];
    let unlike: Vec<_> = cases
        .iter()
        .filter(|(told, expected)| !told.contains(expected))
        .collect();
    if unlike.is_empty() {
        Ok(())
    } else {
        Err(format!("{unlike:#?}").into())
    }
}
