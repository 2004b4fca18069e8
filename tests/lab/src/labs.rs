//! The labs: the directories `labs/NN-NAME` of the workspace, and what is known about each.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::args::usage;
use crate::syllabus::Syllabus;
use crate::{Result, trouble};

/// The project, and its labs by number.
pub struct Kit {
    pub root: PathBuf,
    pub labs: Vec<Lab>,
}

/// A lab.
pub struct Lab {
    pub number: u32,
    pub name: String,
    /// `NN-NAME`, which names everything that belongs to the lab.
    pub id: String,
}

impl Kit {
    /// Looks for the labs from this package's place on: two levels below the workspace's root.
    pub fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .unwrap_or(Path::new("/"))
            .to_path_buf();
        let entries = fs::read_dir(root.join("labs")).map_err(|e| trouble(root.join("labs").display(), e))?;
        let dirs = entries.flatten().filter(|entry| entry.path().is_dir());
        let names = dirs.filter_map(|entry| entry.file_name().into_string().ok());
        let mut labs: Vec<Lab> = names.filter_map(Lab::from_id).collect();
        labs.sort_by_key(|lab| lab.number);
        Ok(Self { root, labs })
    }

    /// The lab that a learner means by `3`, `zombie` or `03-zombie`, in small letters or capitals.
    pub fn lab(&self, word: &str) -> Result<&Lab> {
        let is = |name: &String| name.eq_ignore_ascii_case(word);
        let meant = |lab: &&Lab| is(&lab.name) || is(&lab.id) || word.parse() == Ok(lab.number);
        match self.labs.iter().find(meant) {
            Some(lab) => Ok(lab),
            None => {
                let all: Vec<_> = self
                    .labs
                    .iter()
                    .map(|lab| format!("{} {}", lab.number, lab.name))
                    .collect();
                usage(format!("no lab `{word}`, there are {}", all.join(", ")))
            }
        }
    }

    /// The steps of a lab, and their hints.
    pub fn syllabus(&self, lab: &Lab) -> Result<Syllabus> {
        Syllabus::read(&self.root, &format!("tests/hints/{}.md", lab.id))
    }

    /// What the command remembers stands in the target directory: it is no part of the learner's work.
    pub fn record(&self, kind: &str, lab: &Lab) -> PathBuf {
        self.target().join("forkroom").join(kind).join(&lab.id)
    }

    pub fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }
}

impl Lab {
    fn from_id(id: String) -> Option<Self> {
        let (number, name) = id.split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            name: name.into(),
            id,
        })
    }

    /// The package that a learner edits.
    pub fn package(&self) -> String {
        format!("lab-{}", self.name)
    }

    /// Where its sources are, seen from the top of the project.
    pub fn sources(&self) -> String {
        format!("labs/{}/src", self.id)
    }

    /// The book's chapter about it, seen from there.
    pub fn chapter(&self) -> String {
        format!("book/src/{}.md", self.id)
    }

    /// The file in which a learner works on a step: the first with a gap of it, or else the one that has its name.
    pub fn step_file(&self, root: &Path, number: u32, step: &str) -> String {
        let gap = format!("TODO {number}:");
        let files = fs::read_dir(root.join(self.sources()))
            .into_iter()
            .flatten()
            .flatten();
        let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
        files.sort();
        let has_gap = |file: &&PathBuf| fs::read_to_string(file).is_ok_and(|text| text.contains(&gap));
        let own = format!("{step}.rs");
        let name = match files.iter().find(has_gap).and_then(|file| file.file_name()) {
            Some(name) => name.to_string_lossy(),
            None if root.join(self.sources()).join(&own).is_file() => own.into(),
            None => "main.rs".into(),
        };
        format!("{}/{name}", self.sources())
    }
}
