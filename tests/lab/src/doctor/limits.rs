//! How much of everything there is: processes, descriptors, a place for temporary files.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;
use crate::reason;

/// The largest step has 65 processes, and the grader stops a program 64 above what its step allows.
const PROCESSES: u64 = 256;
const DESCRIPTORS: u64 = 256;

pub fn look() -> Vec<Finding> {
    vec![processes(), pids(), descriptors(), temporary()]
}

fn processes() -> Finding {
    let advice = format!("ulimit -u {}, or ask who administers the machine", 4 * PROCESSES);
    limit("processes", "Max processes", PROCESSES, &advice)
}

fn descriptors() -> Finding {
    limit(
        "files",
        "Max open files",
        DESCRIPTORS,
        &format!("ulimit -n {}", 4 * DESCRIPTORS),
    )
}

fn limit(about: &'static str, name: &str, needed: u64, advice: &str) -> Finding {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    match soft.map(|soft| (soft, soft.parse::<u64>().unwrap_or(u64::MAX))) {
        Some((soft, number)) if number < needed => Finding::bad(about, format!("at most {soft}"), advice),
        Some((soft, _)) => Finding::good(about, format!("at most {soft} (the labs need {needed})")),
        None => Finding::spare(about, "unknown", "mount -t proc proc /proc"),
    }
}

/// The control group may allow fewer processes than the user's limit.
fn pids() -> Finding {
    let free = cgroups().iter().filter_map(|dir| free(dir)).min();
    match free {
        Some(free) if free < PROCESSES => {
            let advice = format!(
                "allow more: docker run --pids-limit {}, or pids.max of the group",
                4 * PROCESSES
            );
            Finding::bad(
                "cgroup",
                format!("room for {free} more processes (the labs need {PROCESSES})"),
                advice,
            )
        }
        Some(free) => Finding::good("cgroup", format!("room for {free} more processes")),
        None => Finding::good("cgroup", "no limit on processes"),
    }
}

/// The directories of this process's control groups for pids, from its own up to the root.
fn cgroups() -> Vec<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut dirs = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let mount = match fields.next() {
            Some("") => "/sys/fs/cgroup",
            Some("pids") => "/sys/fs/cgroup/pids",
            _ => continue,
        };
        let own = fields.next().unwrap_or_default().trim_start_matches('/');
        dirs.extend(
            Path::new(own)
                .ancestors()
                .map(|group| Path::new(mount).join(group)),
        );
    }
    dirs
}

fn free(group: &Path) -> Option<u64> {
    let number = |file| {
        fs::read_to_string(group.join(file))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    Some(number("pids.max")?.saturating_sub(number("pids.current")?))
}

/// Every run has a directory of its own in the temporary one, and some put a program there.
fn temporary() -> Finding {
    let dir = env::temp_dir();
    let own = dir.join(format!("forkroom-doctor-{}", std::process::id()));
    let tried = fs::create_dir(&own).and_then(|()| {
        let script = own.join("script");
        fs::write(&script, "#!/bin/sh\n")?;
        fs::set_permissions(&script, Permissions::from_mode(0o700))?;
        Command::new(script).status()
    });
    let _ = fs::remove_dir_all(&own);
    match tried {
        Ok(_) => Finding::good(
            "temporary",
            format!("{} takes files and runs programs", dir.display()),
        ),
        Err(e) => Finding::bad(
            "temporary",
            format!("{}: {}", dir.display(), reason(e)),
            "export TMPDIR=/a/directory/that/may/hold/programs",
        ),
    }
}
