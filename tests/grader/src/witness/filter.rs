//! The seccomp filter of a program under observation: a call of interest stops for the witness, every other runs at
//! full speed (`seccomp(2)`, `Documentation/userspace-api/seccomp_filter.rst`).

use super::arch::AUDIT_ARCH;
use nix::{errno::Errno, libc};

/// Installs the filter in the calling process; it holds across `exec` and in all descendants, and cannot be undone.
///
/// # Errors
/// `EINVAL` where the kernel has no seccomp filters, `EACCES` or `EPERM` where a policy forbids them.
pub fn install(calls: &[i64]) -> nix::Result<()> {
    let mut program = build(calls);
    let fprog = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| Errno::E2BIG)?,
        filter: program.as_mut_ptr(),
    };
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: `fprog` points at `program`, both alive during the call; the kernel copies it.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const fprog) };
    Errno::result(done).map(drop)
}

/// `arch == native && nr in calls` → trace, else allow. Jumps are at most 255 far, so the list is cut in chunks.
fn build(calls: &[i64]) -> Vec<libc::sock_filter> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let (offset_nr, offset_arch) = (0, 4); // of `struct seccomp_data`
    let mut program = vec![
        op(LOAD, 0, 0, offset_arch),
        op(EQUAL, 1, 0, AUDIT_ARCH),
        op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        op(LOAD, 0, 0, offset_nr),
    ];
    for chunk in calls.chunks(200) {
        for (i, nr) in chunk.iter().enumerate() {
            let to_trace = (chunk.len() - i) as u8;
            program.push(op(EQUAL, to_trace, 0, u32::try_from(*nr).unwrap_or(u32::MAX)));
        }
        program.push(op(libc::BPF_JMP as u16, 0, 0, 1)); // over the next line
        program.push(op(RETURN, 0, 0, libc::SECCOMP_RET_TRACE));
    }
    program.push(op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    program
}
