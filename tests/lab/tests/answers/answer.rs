//! The answers on file: what each claims of itself in its first line.

use std::{
    ffi::OsStr,
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

/// How the source of an answer comes about.
#[derive(Clone)]
pub enum Change {
    /// It stands in the place of one file of the solution.
    Replaces(String),
    /// It is a unified diff against these files of the solution.
    Changes(Vec<String>),
    /// It is a program of its own, in C.
    Whole,
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
    pub change: Change,
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

    /// Where the sources of its solution are.
    pub fn solution(&self) -> PathBuf {
        self.root.join("solutions").join(&self.slug).join("src")
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

    /// `//! Refused by step 3 (memory). Replaces src/memory.rs.`, `… by every step …`; the same without `//! ` and with
    /// `Changes` on top of a patch; or a file of C for all steps (`// Right for steps 1 to 6 …`).
    ///
    /// # Panics
    /// When the first line is not of that form: a fault of the answer's author, to be seen at once.
    fn read(lab: Lab, verdict: Verdict, path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let part = |of: Option<&OsStr>| of.unwrap_or_default().to_string_lossy().into_owned();
        let mut answer = Self {
            name: part(path.file_stem()),
            lab,
            verdict,
            step: 0,
            step_name: String::new(),
            up_to: None,
            change: Change::Whole,
            mistake: String::new(),
            path,
        };
        match part(answer.path.extension()).as_str() {
            "rs" => {
                let file = answer.read_header("//! ", "Replaces", &text);
                answer.change = Change::Replaces(file);
            }
            "patch" => {
                let files = answer.read_header("", "Changes", &text);
                answer.change = Change::Changes(files.split(", ").map(String::from).collect());
            }
            _ => {
                let last = text.strip_prefix("// Right for steps 1 to ");
                answer.up_to = last.and_then(|rest| rest.split(' ').next()?.parse().ok());
            }
        }
        answer
    }

    /// Which step it is about, and what it has to say; gives what follows `Replaces` or `Changes`.
    fn read_header(&mut self, mark: &str, does: &str, text: &str) -> String {
        let mut lines = text.lines().map_while(|line| line.strip_prefix(mark));
        let opening = match self.verdict {
            Verdict::Right => "Right for ",
            Verdict::Wrong => "Refused by ",
        };
        let parsed = lines.next().and_then(|line| {
            let line = line.strip_prefix(opening)?.strip_suffix('.')?;
            line.split_once(&format!(". {does} "))
        });
        let Some((about, files)) = parsed else {
            panic!(
                "{}: the first line should read \"{mark}{opening}step N (NAME). {does} src/FILE.rs.\"",
                self.path.display()
            )
        };
        let step = about
            .strip_prefix("step ")
            .and_then(|about| about.split_once(" ("));
        if let Some((number, named)) = step {
            self.step = number.parse().unwrap_or(0);
            self.step_name = named.trim_end_matches(')').to_owned();
        }
        let is_header = |line: &&str| !["--- ", "diff "].iter().any(|diff| line.starts_with(diff));
        self.mistake = lines
            .take_while(is_header)
            .collect::<Vec<_>>()
            .join(" ")
            .trim()
            .to_owned();
        files.to_owned()
    }
}
