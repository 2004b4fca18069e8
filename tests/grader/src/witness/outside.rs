//! A look at a whole run from the outside: by the test, which follows several at a time.

use super::proc;
use std::fs;

/// Every thread of the run of this witness, and how often it gave up the processor; `None` when one of them runs, or waits
/// for a processor. Who is stopped is not told from who sleeps, nor who waits for a vfork child: of that the witness knows.
pub fn look(witness: i32) -> Option<Vec<(i32, u64)>> {
    let tids = proc::descendants(witness).into_iter().flat_map(threads);
    tids.filter_map(|tid| {
        let off_queue = is_off_queue(tid);
        let status = proc::Status::read(tid)?; // none: it is gone, as the next look will find it
        let rests = off_queue && matches!(status.state, 'S' | 't' | 'T' | 'D') || status.state == 'Z';
        Some(rests.then_some((tid, status.switches)))
    })
    .collect()
}

fn threads(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let names = tasks.into_iter().flatten().flatten().map(|task| task.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// As [`proc::is_off_queue`]; of whom it may not ask, the state has to do.
fn is_off_queue(tid: i32) -> bool {
    fs::read_to_string(format!("/proc/{tid}/syscall")).map_or(true, |text| !text.starts_with("running"))
}
