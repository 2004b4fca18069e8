//! Every kind of fault is seen: a book without one, spoilt in one way at a time.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::{pages, sources};

/// Writes a book without a fault, with the files that it includes and names.
fn good() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let code = "//! A file.\n// ANCHOR: full\nfn main() {}\n// ANCHOR_END: full\n// ANCHOR: empty\n// ANCHOR_END: empty\n";
    let words = "word ".repeat(700);
    let chapter = format!(
        "# Lab 1\n\n## Step 1: one\n\n## Step 2: two\n\n![What it shows](pictures/01-toy.svg)\n\n\
         [Above](#step-1-one), [elsewhere](introduction.md#what-you-need), `labs/01-toy/src/main.rs:1`, `labs/NN-NAME`\n\n\
         ```rust,ignore\n{{{{#include ../../labs/01-toy/src/main.rs:full}}}}\n{{{{#include ../../labs/01-toy/src/main.rs:3}}}}\n\
         ```\n\n<details>\n<summary>Answer</summary>\n\nIt *is* so.\n\n</details>\n\n{words}\n"
    );
    for (name, text) in [
        ("labs/01-toy/src/main.rs", code),
        ("labs/01-toy/src/plain.rs", "fn plain() {}\n"),
        (
            "tests/hints/01-toy.md",
            "# Lab 1\n## 1 one\nAsks.\n- Hint.\n## 2 two\nAsks.\n- Hint.\n",
        ),
        ("book/book.toml", "[book]\ntitle = \"A book\"\n"),
        (
            "book/src/SUMMARY.md",
            "# Summary\n\n[Introduction](introduction.md)\n\n- [Toy](01-toy.md)\n",
        ),
        ("book/src/introduction.md", "# Introduction\n\n## What you need\n"),
        ("book/src/01-toy.md", &chapter),
        (
            "book/src/pictures/01-toy.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n",
        ),
    ] {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn replace(dir: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(file)).unwrap();
    assert!(text.contains(from), "{from} is not in {file}");
    fs::write(dir.join(file), text.replace(from, to)).unwrap();
}

/// The chapter of the good book, with `from` replaced by `to`, has this one fault.
fn spoilt(from: &str, to: &str, fault: &str) {
    let dir = good();
    replace(dir.path(), "book/src/01-toy.md", from, to);
    assert_eq!(sources::faults(dir.path()), [format!("01-toy.md: {fault}")]);
}

#[test]
fn a_good_book_has_no_fault() {
    let dir = good();
    assert!(sources::faults(dir.path()).is_empty());
    assert!(
        pages::faults(&dir.path().join("book"))
            .unwrap_or_default()
            .is_empty()
    );
}

#[test]
fn includes_that_do_not_work() {
    let include = "{{#include ../../labs/01-toy/src/main.rs:full}}";
    let fault = |to: &str, fault: &str| spoilt(include, to, &format!("`{to}`: {fault}"));
    fault(
        "{{#include ../../labs/01-toy/src/nowhere.rs}}",
        "no file `../../labs/01-toy/src/nowhere.rs`",
    );
    fault(
        "{{#include ../../labs/01-toy/src}}",
        "no file `../../labs/01-toy/src`",
    );
    fault(
        "{{#include ../../labs/01-toy/src/main.rs:other}}",
        "no anchor `other`",
    );
    fault(
        "{{#rustdoc_include ../../labs/01-toy/src/main.rs:other}}",
        "no anchor `other`",
    );
    fault("{{#include ../../labs/01-toy/src/main.rs:empty}}", "it is empty");
    fault(
        "{{#include ../../labs/01-toy/src/main.rs:7:}}",
        "no lines `7:`, the file has 6",
    );
    fault(
        "{{#include ../../labs/01-toy/src/main.rs:3:9}}",
        "no lines `3:9`, the file has 6",
    );
    fault(
        "{{#include ../../labs/01-toy/src/main.rs:0:1}}",
        "no lines `0:1`, the file has 6",
    );
    fault("{{#include ../../labs/01-toy/src/main.rs:2:2}}", "it is empty");
    fault(
        "{{#include ../../labs/01-toy/src/main.rs}}",
        "a whole file is included, and its ANCHOR lines would be shown",
    );
}

#[test]
fn anchors_that_are_not_one_place() {
    let fault = |from: &str, to: &str, fault: &str| {
        let dir = good();
        replace(dir.path(), "labs/01-toy/src/main.rs", from, to);
        let include = "`{{#include ../../labs/01-toy/src/main.rs:full}}`";
        assert_eq!(
            sources::faults(dir.path()),
            [format!("01-toy.md: {include}: {fault}")]
        );
    };
    fault(
        "// ANCHOR_END: full\n",
        "",
        "anchor `full` does not end where it should",
    );
    fault(
        "ANCHOR_END: full",
        "ANCHOR: full",
        "anchor `full` is there more than once",
    );
    fault("ANCHOR: full", "ANCHOR: fuller", "no anchor `full`");
    fault(
        "// ANCHOR_END: full",
        "// {{#include x}}\n// ANCHOR_END: full",
        "what is included has a raw `{{#`",
    );
}

#[test]
fn what_mdbook_would_leave_raw() {
    let include = "{{#include ../../labs/01-toy/src/main.rs:full}}";
    spoilt(include, "{{#inclde main.rs}}", "raw `{{#inclde main.rs}}`");
    spoilt(include, "{{#include}}", "raw `{{#include}}`");
    spoilt(
        "It *is* so.",
        "Written as \\{{#include x}} it is shown.\n\n[dead](x.md)",
        "link `x.md`: no such file",
    );
    let dir = good();
    replace(
        dir.path(),
        "book/src/introduction.md",
        "## What you need",
        "## What you need\n\n{{#include open",
    );
    assert_eq!(
        sources::faults(dir.path()),
        ["introduction.md: raw `{{#include open`"]
    );
}

#[test]
fn links_that_are_dead() {
    spoilt(
        "introduction.md#what-you-need",
        "nowhere.md",
        "link `nowhere.md`: no such file",
    );
    spoilt(
        "#what-you-need",
        "#what-you-want",
        "link `introduction.md#what-you-want`: no heading `#what-you-want`",
    );
    spoilt("#step-1-one", "#step-1", "link `#step-1`: no heading `#step-1`");
    let leaves =
        "link `../../labs/01-toy/src/main.rs` leaves the book, dead in a browser: name the path as code";
    spoilt(
        "introduction.md#what-you-need",
        "../../labs/01-toy/src/main.rs",
        leaves,
    );
    spoilt(
        "It *is* so.",
        "<a href=\"nowhere.html\">x</a>",
        "link `nowhere.html`: no such file",
    );
}

#[test]
fn files_of_the_project_that_do_not_exist() {
    let fault = "`labs/01-toy/src/nowhere.rs:1`: no such file in the project";
    spoilt(
        "`labs/01-toy/src/main.rs:1`",
        "`labs/01-toy/src/nowhere.rs:1`",
        fault,
    );
}

#[test]
fn pictures_that_are_missing_or_have_no_words() {
    spoilt(
        "pictures/01-toy.svg",
        "pictures/nowhere.svg",
        "picture `pictures/nowhere.svg`: no such SVG file",
    );
    spoilt(
        "![What it shows]",
        "![]",
        "picture `pictures/01-toy.svg` has no alt text",
    );
    let html = "<img src=\"pictures/nowhere.svg\" alt=\"What it shows\">";
    spoilt(
        "It *is* so.",
        html,
        "picture `pictures/nowhere.svg`: no such SVG file",
    );
    spoilt(
        "It *is* so.",
        "<img src=\"pictures/01-toy.svg\">",
        "picture `pictures/01-toy.svg` has no alt text",
    );
}

#[test]
fn chapters_that_nobody_finds() {
    let dir = good();
    replace(dir.path(), "book/src/SUMMARY.md", "- [Toy](01-toy.md)\n", "");
    assert_eq!(
        sources::faults(dir.path()),
        ["01-toy.md: it is not in SUMMARY.md"]
    );
    replace(
        dir.path(),
        "book/src/SUMMARY.md",
        "# Summary\n",
        "# Summary\n\n- [Toy](01-toy.md)\n- [Two](02.md)\n",
    );
    assert_eq!(
        sources::faults(dir.path()),
        ["SUMMARY.md: link `02.md`: no such file"]
    );
    replace(dir.path(), "book/src/SUMMARY.md", "02.md", "");
    assert_eq!(
        sources::faults(dir.path()),
        ["SUMMARY.md: link ``: a chapter without a file"]
    );
}

#[test]
fn no_list_of_chapters() {
    let dir = good();
    fs::remove_file(dir.path().join("book/src/SUMMARY.md")).unwrap();
    assert_eq!(sources::faults(dir.path())[0], "SUMMARY.md: there is none");
}

#[test]
fn sections_that_the_hints_name() {
    spoilt(
        "## Step 2: two",
        "## Step two",
        "no heading `Step 2: two`, which the hints name",
    );
}

#[test]
fn chapters_of_the_wrong_length() {
    let words = |count: usize| "word ".repeat(count);
    spoilt(&words(700), &words(500), "518 words, not 600 to 1500");
    spoilt(&words(700), &words(1500), "1518 words, not 600 to 1500");
    // Code is not read as words are.
    spoilt(
        &words(700),
        &format!("```\n{}\n```\n", words(700)),
        "18 words, not 600 to 1500",
    );
}

#[test]
fn html_that_does_not_hold() {
    spoilt("\n\n</details>", "", "a `<details>` is not closed");
    let raw = "Markdown right after a tag stays as it is; put a blank line before: It is `so`.";
    spoilt("</summary>\n\nIt *is* so.", "</summary>\nIt is `so`.", raw);
}

#[test]
fn faults_of_built_pages() {
    let built = |file: &str, from: &str, to: &str, fault: &str| {
        let dir = good();
        replace(dir.path(), file, from, to);
        let Some(faults) = pages::faults(&dir.path().join("book")) else {
            return;
        };
        assert!(
            faults.iter().any(|said| said.contains(fault)),
            "{fault}: {faults:?}"
        );
    };
    let chapter = "book/src/01-toy.md";
    built(
        chapter,
        "src/main.rs:full",
        "src/nowhere.rs:full",
        "01-toy.html: raw `{{#include ../../labs/01-toy/src/nowhere.rs",
    );
    built(
        chapter,
        "main.rs:3}}",
        "main.rs:other}}\n```\n\n```rust,ignore\n{{#include ../../labs/01-toy/src/main.rs:other}}",
        "01-toy.html: an empty block of code",
    );
    built(
        chapter,
        "introduction.md#what",
        "introduction.md#where",
        "01-toy.html: dead link `introduction.html#where-you-need`",
    );
    built(
        chapter,
        "pictures/01-toy.svg",
        "pictures/nowhere.svg",
        "01-toy.html: dead link `pictures/nowhere.svg`",
    );
    built("book/book.toml", "title", "[", "mdbook: ERROR");
}
