//! Waiting for the kernel's own work.
//!
//! What is sent over loopback travels in softirqs, which no call waits for. `MEMBARRIER_CMD_GLOBAL` waits for a grace
//! period of RCU (`synchronize_rcu` in the kernel's source, membarrier(2)): softirqs that run when it is called have come to
//! their end when it returns. What has not even begun by then the caller sees, and waits once more.

use nix::libc;

/// Waits until the softirqs that run now are done; where that cannot be asked for, the others just get the processor.
pub(crate) fn kernel_settles() {
    // SAFETY: takes three numbers.
    let waited = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if waited != 0 {
        std::thread::yield_now(); // an old kernel, a sandbox, or one with processors that are never interrupted
    }
}
