//! The faults of a book, as its sources show them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::include::expand;
use crate::markdown::Page;

/// How long the chapter of a lab is.
const WORDS: std::ops::RangeInclusive<usize> = 600..=1500;

struct Book<'a> {
    root: &'a Path,
    /// Each chapter by its path in `book/src`.
    pages: BTreeMap<PathBuf, Page>,
}

/// Everything that is wrong with `book/` in the directory `root`.
pub fn faults(root: &Path) -> Vec<String> {
    let src = root.join("book/src");
    let mut book = Book {
        root,
        pages: BTreeMap::new(),
    };
    let mut faults = Vec::new();
    for file in markdown_files(&src) {
        let text = fs::read_to_string(src.join(&file)).unwrap();
        let mut own = Vec::new();
        let dir = src.join(file.parent().unwrap());
        let page = Page::read(&expand(&text, &dir, &mut own));
        faults.extend(own.iter().map(|fault| format!("{}: {fault}", file.display())));
        book.pages.insert(file, page);
    }
    if !book.pages.contains_key(Path::new("SUMMARY.md")) {
        faults.push("SUMMARY.md: there is none".into());
    }
    for (file, page) in &book.pages {
        faults.extend(
            book.check(file, page)
                .iter()
                .map(|fault| format!("{}: {fault}", file.display())),
        );
    }
    faults
}

fn markdown_files(src: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(src)
        .unwrap()
        .map(|entry| PathBuf::from(entry.unwrap().file_name()));
    entries
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

impl Book<'_> {
    fn check(&self, file: &Path, page: &Page) -> Vec<String> {
        let mut faults = page.faults.clone();
        faults.extend(page.links.iter().filter_map(|link| self.dead_link(file, link)));
        faults.extend(
            page.pictures
                .iter()
                .filter_map(|picture| self.missing_picture(&picture.file)),
        );
        let blind = page
            .pictures
            .iter()
            .filter(|picture| picture.alt.trim().is_empty());
        faults.extend(blind.map(|picture| format!("picture `{}` has no alt text", picture.file)));
        faults.extend(page.code.iter().filter_map(|code| self.dead_path(code)));
        if file != Path::new("SUMMARY.md") && !self.is_listed(file) {
            faults.push("it is not in SUMMARY.md".into());
        }
        if is_lab(file) {
            if !WORDS.contains(&page.words) {
                faults.push(format!(
                    "{} words, not {} to {}",
                    page.words,
                    WORDS.start(),
                    WORDS.end()
                ));
            }
            faults.extend(self.missing_sections(file, page));
        }
        faults
    }

    fn is_listed(&self, file: &Path) -> bool {
        let summary = self.pages.get(Path::new("SUMMARY.md"));
        summary.is_some_and(|summary| summary.links.iter().any(|link| Path::new(link) == file))
    }

    fn dead_link(&self, file: &Path, link: &str) -> Option<String> {
        if link.contains("://") || link.starts_with("mailto:") {
            return None;
        }
        if link.is_empty() {
            return Some("link ``: a chapter without a file".into());
        }
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = if path.is_empty() { file } else { Path::new(path) };
        if target.components().next() == Some(Component::ParentDir) {
            return Some(format!(
                "link `{link}` leaves the book, dead in a browser: name the path as code"
            ));
        }
        match self.pages.get(target) {
            Some(page) if fragment.is_empty() || page.ids.contains(fragment) => None,
            Some(_) => Some(format!("link `{link}`: no heading `#{fragment}`")),
            None if path.ends_with(".md") || path.is_empty() || !self.src(target).is_file() => {
                Some(format!("link `{link}`: no such file"))
            }
            None => None,
        }
    }

    fn missing_picture(&self, picture: &str) -> Option<String> {
        let there = fs::read_to_string(self.src(Path::new(picture))).is_ok_and(|text| text.contains("<svg"));
        (!there).then(|| format!("picture `{picture}`: no such SVG file"))
    }

    /// Code that reads as a path of the project has to be one.
    fn dead_path(&self, code: &str) -> Option<String> {
        let path = code.split(':').next()?;
        let ours = ["labs/", "solutions/", "tests/", "book/"]
            .iter()
            .any(|dir| path.starts_with(dir));
        let pattern =
            path.contains(['*', '<', ' ', '…', '{']) || path.contains("NN") || path.contains("NAME");
        let dead = ours && !pattern && !self.root.join(path).exists();
        dead.then(|| format!("`{code}`: no such file in the project"))
    }

    /// The command sends learners to "Step N: name".
    fn missing_sections(&self, file: &Path, page: &Page) -> Vec<String> {
        let hints = fs::read_to_string(self.root.join("tests/hints").join(file)).unwrap_or_default();
        let steps = hints
            .lines()
            .filter_map(|line| line.strip_prefix("## ")?.split_once(' '));
        let headings = steps.map(|(number, name)| format!("Step {number}: {name}"));
        let missing = headings.filter(|heading| !page.headings.contains(heading));
        missing
            .map(|heading| format!("no heading `{heading}`, which the hints name"))
            .collect()
    }

    fn src(&self, file: &Path) -> PathBuf {
        self.root.join("book/src").join(file)
    }
}

/// The chapter of a lab is called `NN-NAME.md`.
fn is_lab(file: &Path) -> bool {
    file.to_string_lossy().starts_with(|c: char| c.is_ascii_digit())
}
