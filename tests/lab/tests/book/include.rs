//! `{{#include FILE:PART}}`, as mdBook understands it, but with a complaint where mdBook keeps silent.

use std::fs;
use std::path::Path;

/// Replaces the includes of a chapter that stands in `dir`, and complains about those that do not work.
pub fn expand(text: &str, dir: &Path, faults: &mut Vec<String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{#") {
        let Some((directive, after)) = after.split_once("}}") else {
            faults.push(format!("raw `{{{{#{}`", after.lines().next().unwrap_or_default()));
            return expanded + before;
        };
        rest = after;
        match (before.strip_suffix('\\'), directive.split_once(' ')) {
            (Some(before), _) => expanded.extend([before, "{{#", directive, "}}"]),
            (None, Some(("include" | "rustdoc_include", place))) => {
                let included = include(place.trim(), dir).unwrap_or_else(|fault| {
                    faults.push(format!("`{{{{#{directive}}}}}`: {fault}"));
                    String::new()
                });
                expanded.extend([before, &included]);
            }
            _ => {
                faults.push(format!("raw `{{{{#{directive}}}}}`"));
                expanded.push_str(before);
            }
        }
    }
    expanded + rest
}

/// The text that an include stands for.
fn include(place: &str, dir: &Path) -> Result<String, String> {
    let (file, part) = place
        .split_once(':')
        .map_or((place, ""), |(file, part)| (file, part));
    let text = fs::read_to_string(dir.join(file)).map_err(|_| format!("no file `{file}`"))?;
    let taken = match part.trim_matches(|c: char| c.is_ascii_digit() || c == ':') {
        _ if part.is_empty() => whole(&text)?,
        "" => lines(&text, part)?,
        _ => anchor(&text, part)?,
    };
    match taken {
        _ if taken.trim().is_empty() => Err("it is empty".into()),
        _ if taken.contains("{{#") => Err("what is included has a raw `{{#`".into()),
        _ => Ok(taken),
    }
}

fn whole(text: &str) -> Result<String, String> {
    if text.contains("ANCHOR") {
        return Err("a whole file is included, and its ANCHOR lines would be shown".into());
    }
    Ok(text.into())
}

/// `7`, `7:`, `:7` or `7:9`: lines, counted from 1.
fn lines(text: &str, range: &str) -> Result<String, String> {
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    let count = text.lines().count();
    let number = |digits: &str, or| if digits.is_empty() { Ok(or) } else { digits.parse() };
    match (number(first, 1), number(last, count)) {
        (Ok(first), Ok(last)) if 1 <= first && first <= last && last <= count => {
            let taken = text.lines().skip(first - 1).take(last + 1 - first);
            Ok(taken
                .filter(|line| !line.contains("ANCHOR"))
                .collect::<Vec<_>>()
                .join("\n"))
        }
        _ => Err(format!("no lines `{range}`, the file has {count}")),
    }
}

/// What stands between `ANCHOR: name` and `ANCHOR_END: name`.
fn anchor(text: &str, name: &str) -> Result<String, String> {
    let is = |line: &str, mark: &str| match line.split_once(mark) {
        Some((_, rest)) => rest.split_whitespace().next() == Some(name),
        None => false,
    };
    let places = |mark| {
        text.lines()
            .enumerate()
            .filter(move |(_, line)| is(line, mark))
            .map(|(at, _)| at)
    };
    let (starts, ends): (Vec<_>, Vec<_>) = (places("ANCHOR:").collect(), places("ANCHOR_END:").collect());
    match (&*starts, &*ends) {
        ([], _) => Err(format!("no anchor `{name}`")),
        (&[start], &[end]) if start < end => {
            let taken = text.lines().skip(start + 1).take(end - start - 1);
            Ok(taken
                .filter(|line| !line.contains("ANCHOR"))
                .collect::<Vec<_>>()
                .join("\n"))
        }
        ([_], _) => Err(format!("anchor `{name}` does not end where it should")),
        _ => Err(format!("anchor `{name}` is there more than once")),
    }
}
