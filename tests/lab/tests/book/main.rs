//! The book: everything that a chapter includes, links to or shows is there.
//!
//! mdBook says nothing about a missing anchor or a missing file: it leaves a gap, or the raw `{{#include …}}`, in
//! the page. So the sources are checked here, and the built pages too where `mdbook` is installed.

mod faults;
mod include;
mod markdown;
mod pages;
mod sources;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

#[test]
fn nothing_is_missing_from_the_sources() {
    let faults = sources::faults(&root());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_missing_from_the_built_pages() {
    let faults = pages::faults(&root().join("book")).unwrap_or_default();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
