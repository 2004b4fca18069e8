//! What the machine gives: processors, and descriptors.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use crate::{Result, named};

/// The processor that the server has for itself, and the one that the load comes from.
#[derive(Clone, Copy)]
pub struct Cores {
    pub server: usize,
    pub load: usize,
}

impl Cores {
    /// Divides what there is, and moves this process out of the server's way.
    pub fn take() -> Result<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).map_err(named("sched_getaffinity"))?;
        let mut all = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let server = all.next().unwrap_or(0);
        let cores = Cores {
            server,
            load: all.next().unwrap_or(server),
        };
        pin(cores.load).map_err(named("sched_setaffinity"))?;
        Ok(cores)
    }

    pub fn describe(self) -> String {
        if self.server == self.load {
            return "one processor: server and load share it, and disturb each other".into();
        }
        format!("server on processor {}, load on {}", self.server, self.load)
    }
}

/// Keeps the calling thread on one processor. (It only makes a system call: a child may use it before its exec.)
pub fn pin(core: usize) -> nix::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Raises the limit of open files as far as it goes; returns how far. The servers inherit it.
pub fn raise_files() -> Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(named("getrlimit"))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(named("setrlimit"))?;
    Ok(usize::try_from(hard).unwrap_or(usize::MAX))
}

/// The processes that want a processor now, over the last minute: what else goes on here.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().into()
}
