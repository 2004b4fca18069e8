//! The faults of a book, as its built pages show them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::markdown::attributes;

/// Builds the book at `book` with `mdbook`, and says what is wrong with its pages. `None` without an `mdbook`.
pub fn faults(book: &Path) -> Option<Vec<String>> {
    let built = tempfile::tempdir().unwrap();
    let mut mdbook = Command::new("mdbook");
    let output = match mdbook
        .arg("build")
        .arg(book)
        .arg("--dest-dir")
        .arg(built.path())
        .output()
    {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints = said
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"));
    let mut faults: Vec<String> = complaints.map(|line| format!("mdbook: {line}")).collect();
    let pages = pages(built.path());
    if pages.is_empty() {
        faults.push(format!("mdbook: no page was built ({})", output.status));
    }
    for (name, html) in &pages {
        let own = raw(html).into_iter().chain(links(html, &pages, built.path()));
        faults.extend(own.map(|fault| format!("{name}: {fault}")));
    }
    Some(faults)
}

/// The chapters' pages by name.
fn pages(dir: &Path) -> BTreeMap<String, String> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // These three repeat the chapters, or point from wherever they are shown.
    let chapters = names
        .filter(|name| name.ends_with(".html") && !["print.html", "toc.html", "404.html"].contains(&&**name));
    chapters
        .map(|name| (name.clone(), fs::read_to_string(dir.join(name)).unwrap()))
        .collect()
}

fn raw(html: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some((_, rest)) = html.split_once("{{#") {
        faults.push(format!("raw `{{{{#{}`", rest.lines().next().unwrap_or_default()));
    }
    let blocks = html
        .split("<code class=\"language-")
        .skip(1)
        .filter_map(|rest| rest.split_once('>'));
    if blocks
        .filter(|(_, code)| {
            code.split("</code>")
                .next()
                .is_some_and(|code| code.trim().is_empty())
        })
        .count()
        > 0
    {
        faults.push("an empty block of code".into());
    }
    faults
}

fn links(html: &str, pages: &BTreeMap<String, String>, dir: &Path) -> Vec<String> {
    let links = ["href", "src"].iter().flat_map(|name| attributes(html, name));
    let local = links.filter(|link| !link.contains(':') && !link.is_empty());
    let dead = local.filter(|link| {
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() {
            Some(html)
        } else {
            pages.get(path).map(String::as_str)
        };
        match target {
            Some(page) => !fragment.is_empty() && !attributes(page, "id").any(|id| id == fragment),
            None => !dir.join(path).is_file(),
        }
    });
    dead.map(|link| format!("dead link `{link}`")).collect()
}
