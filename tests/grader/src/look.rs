//! A look at a process of a run while everybody sleeps: what no call tells of it, `/proc` does.

use std::{collections::BTreeMap, fs, os::fd::RawFd};

/// A process at one moment. Between [`crate::Running::until_quiet`] and the next order nothing of it changes.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its working directory.
    pub directory: String,
    /// Its session: the process id of the process that started it.
    pub session: i32,
    /// Its open descriptors, and what each is: a path, `pipe:[7]`, `anon_inode:[signalfd]`.
    pub descriptors: BTreeMap<RawFd, String>,
}

impl Look {
    /// Looks at the process with this id; `None` where there is none, or only a zombie.
    pub fn at(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        let session = after_name.split_whitespace().nth(3)?.parse().ok()?;
        let directory = link(&format!("/proc/{pid}/cwd"))?;
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
        let descriptors = entries.filter_map(|entry| {
            let fd = entry.file_name().to_string_lossy().parse().ok()?;
            Some((fd, link(&entry.path().to_string_lossy())?))
        });
        Some(Self {
            directory,
            session,
            descriptors: descriptors.collect(),
        })
    }
}

fn link(path: &str) -> Option<String> {
    Some(fs::read_link(path).ok()?.to_string_lossy().into_owned())
}
