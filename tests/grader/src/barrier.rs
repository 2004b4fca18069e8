//! Waiting for the kernel's own work: what is sent over loopback travels in softirqs, which no call waits for.

use nix::{
    errno::Errno,
    libc,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use std::fs;

/// Returns when the softirqs that ran when it was called have come to their end. What has not even begun by then the caller
/// sees, and waits once more.
///
/// Where a thread runs, no softirq is under way on that processor: it interrupts threads, and none interrupts it. So a walk
/// over all processors suffices (0.05 ms with two, where `MEMBARRIER_CMD_GLOBAL` took 15). That is not so in a real-time
/// kernel, where softirqs are threads like others, nor where one may not walk: there membarrier(2) waits for a grace period
/// of RCU, which every softirq that runs holds up. Where that is refused too the others get the processor, at least.
pub(crate) fn end_softirqs() {
    let real_time = fs::read_to_string("/sys/kernel/realtime").is_ok_and(|text| text.trim() == "1");
    if !real_time && walk_over_processors().is_ok() {
        return;
    }
    // SAFETY: takes three numbers.
    let waited = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if waited != 0 {
        std::thread::yield_now();
    }
}

/// Has this thread run on every processor that it may run on, as its programs may.
fn walk_over_processors() -> Result<(), Errno> {
    let me = Pid::from_raw(0);
    let allowed = sched_getaffinity(me)?;
    let walked = (0..CpuSet::count())
        .filter(|&processor| allowed.is_set(processor).unwrap_or(false))
        .try_for_each(|processor| {
            let mut one = CpuSet::new();
            one.set(processor)?;
            sched_setaffinity(me, &one)
        });
    sched_setaffinity(me, &allowed)?;
    walked
}
