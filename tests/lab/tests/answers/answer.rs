//! The answers on file: what each claims of itself in its first line.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A lab with a reference solution.
#[derive(Clone)]
pub struct Lab {
    /// `03-zombie`.
    pub slug: String,
    /// `zombie`.
    pub name: String,
    /// The top of the project.
    pub root: PathBuf,
}

/// What is to become of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
}

/// An answer on file.
#[derive(Clone)]
pub struct Answer {
    pub lab: Lab,
    pub verdict: Verdict,
    /// The file's name without its ending: the mistake, or the other way.
    pub name: String,
    pub path: PathBuf,
    /// The step it is about; 0: every step.
    pub step: usize,
    pub step_name: String,
    /// For a program in C that leaves out the last steps: the last that it has.
    pub up_to: Option<usize>,
    /// The file of the solution that it replaces; none for a program in C.
    pub replaces: Option<String>,
    /// What the mistake is, in the file's own words.
    pub mistake: String,
}

/// All labs, by number.
pub fn labs() -> Vec<Lab> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("/"))
        .to_owned();
    let mut labs: Vec<Lab> = files(&root.join("solutions"))
        .iter()
        .filter_map(|path| {
            let slug = path.file_name()?.to_str()?.to_owned();
            let name = slug.split_once('-')?.1.to_owned();
            Some(Lab {
                slug,
                name,
                root: root.clone(),
            })
        })
        .collect();
    labs.sort_by(|a, b| a.slug.cmp(&b.slug));
    labs
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

impl Lab {
    /// `lab-zombie`, `solution-zombie`.
    pub fn package(&self, kind: &str) -> String {
        format!("{kind}-{}", self.name)
    }

    /// Number and name of each step: the headings of its hints.
    pub fn steps(&self) -> Vec<(usize, String)> {
        let hints =
            fs::read_to_string(self.root.join(format!("tests/hints/{}.md", self.slug))).unwrap_or_default();
        let heading = |line: &str| {
            let (number, name) = line.strip_prefix("## ")?.split_once(' ')?;
            Some((number.parse().ok()?, name.trim().to_owned()))
        };
        hints.lines().filter_map(heading).collect()
    }

    /// Its answers, wrong and right.
    pub fn answers(&self) -> Vec<Answer> {
        let of = |(folder, verdict)| {
            let files = files(&self.root.join("tests").join(folder).join(&self.slug));
            files
                .into_iter()
                .map(move |path| Answer::read(self.clone(), verdict, path))
        };
        [("wrong", Verdict::Wrong), ("right", Verdict::Right)]
            .into_iter()
            .flat_map(of)
            .collect()
    }
}

impl Answer {
    /// `wrong 03-zombie/one_wait_a_signal`.
    pub fn title(&self) -> String {
        let kind = if self.verdict == Verdict::Right {
            "right"
        } else {
            "wrong"
        };
        format!("{kind} {}/{}", self.lab.slug, self.name)
    }

    /// `//! Refused by step 3 (memory). Replaces src/memory.rs.`, `… by every step …`, or a file of C for all steps (`// Right for steps 1 to 6 …`).
    ///
    /// # Panics
    /// When the first line is not of that form: a fault of the answer's author, to be seen at once.
    fn read(lab: Lab, verdict: Verdict, path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let (mut step, mut step_name, mut replaces, mut mistake) = (0, String::new(), None, String::new());
        if path.extension().is_some_and(|ending| ending == "rs") {
            let opening = if verdict == Verdict::Right {
                "//! Right for "
            } else {
                "//! Refused by "
            };
            let parsed = text.lines().next().and_then(|line| {
                let (about, file) = line
                    .strip_prefix(opening)?
                    .strip_suffix('.')?
                    .split_once(". Replaces ")?;
                Some((about.to_owned(), file.to_owned()))
            });
            let Some((about, file)) = parsed else {
                panic!(
                    "{}: the first line should read \"{opening}step N (NAME). Replaces src/FILE.rs.\"",
                    path.display()
                )
            };
            if let Some((number, named)) = about
                .strip_prefix("step ")
                .and_then(|about| about.split_once(" ("))
            {
                (step, step_name) = (
                    number.parse().unwrap_or(0),
                    named.trim_end_matches(')').to_owned(),
                );
            }
            replaces = Some(file);
            let words = text.lines().skip(1).map_while(|line| line.strip_prefix("//! "));
            mistake = words.collect::<Vec<_>>().join(" ");
        }
        let last = text.strip_prefix("// Right for steps 1 to ");
        let up_to = last.and_then(|rest| rest.split(' ').next()?.parse().ok());
        Self {
            up_to,
            lab,
            verdict,
            name,
            path,
            step,
            step_name,
            replaces,
            mistake,
        }
    }
}
