//! All that depends on the processor: the audit architecture of the filter, and the registers in which a system
//! call's number and result stand. Everything else goes by `PTRACE_GET_SYSCALL_INFO`, which is the same everywhere.
//!
//! x86_64: tried (Linux 6.18). aarch64: written after `ptrace(2)` and `arch/arm64/kernel/ptrace.c`; never compiled.

use nix::{Result, unistd::Pid};

/// The architecture that `seccomp_data.arch` holds for a native call (`linux/audit.h`); calls of another (a 32-bit
/// program, say) have other numbers and are let through unobserved.
#[cfg(target_arch = "x86_64")]
pub const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub const AUDIT_ARCH: u32 = 0xC000_00B7;

/// At a seccomp stop: the call is not made, and returns `result` (a negative errno) at once.
///
/// # Errors
/// Those of `ptrace(2)`; `ESRCH` when the process was killed meanwhile.
#[cfg(target_arch = "x86_64")]
pub fn skip_call(pid: Pid, result: i64) -> Result<()> {
    let mut regs = nix::sys::ptrace::getregs(pid)?;
    regs.orig_rax = u64::MAX;
    regs.rax = result.cast_unsigned();
    nix::sys::ptrace::setregs(pid, regs)
}

/// At a seccomp stop: the call is made with `value` as its first argument.
///
/// # Errors
/// Those of `ptrace(2)`.
#[cfg(target_arch = "x86_64")]
pub fn set_first_argument(pid: Pid, value: i64) -> Result<()> {
    let mut regs = nix::sys::ptrace::getregs(pid)?;
    regs.rdi = value.cast_unsigned();
    nix::sys::ptrace::setregs(pid, regs)
}

/// As on x86_64. The first argument and the result stand in the same register.
///
/// # Errors
/// Those of `ptrace(2)`.
#[cfg(target_arch = "aarch64")]
pub fn set_first_argument(pid: Pid, value: i64) -> Result<()> {
    set_result(pid, value)
}

/// At a syscall-exit stop: the call returns `result` in place of what the kernel said.
///
/// # Errors
/// Those of `ptrace(2)`.
#[cfg(target_arch = "x86_64")]
pub fn set_result(pid: Pid, result: i64) -> Result<()> {
    let mut regs = nix::sys::ptrace::getregs(pid)?;
    regs.rax = result.cast_unsigned();
    nix::sys::ptrace::setregs(pid, regs)
}

/// As on x86_64. The number stands in a register set of its own, `NT_ARM_SYSTEM_CALL`.
///
/// # Errors
/// Those of `ptrace(2)`.
#[cfg(target_arch = "aarch64")]
pub fn skip_call(pid: Pid, result: i64) -> Result<()> {
    const NT_ARM_SYSTEM_CALL: usize = 0x404;
    let mut number: i32 = -1;
    let mut iov = nix::libc::iovec {
        iov_base: (&raw mut number).cast(),
        iov_len: size_of::<i32>(),
    };
    // SAFETY: `iov` describes `number`, which outlives the call; the kernel reads four bytes from it.
    let done = unsafe {
        nix::libc::ptrace(
            nix::libc::PTRACE_SETREGSET,
            pid.as_raw(),
            NT_ARM_SYSTEM_CALL,
            &raw mut iov,
        )
    };
    nix::errno::Errno::result(done)?;
    set_result(pid, result)
}

/// As on x86_64; the result stands in `x0`.
///
/// # Errors
/// Those of `ptrace(2)`.
#[cfg(target_arch = "aarch64")]
pub fn set_result(pid: Pid, result: i64) -> Result<()> {
    use nix::sys::ptrace::{getregset, regset::NT_PRSTATUS, setregset};
    let mut regs = getregset::<NT_PRSTATUS>(pid)?;
    regs.regs[0] = result.cast_unsigned();
    setregset::<NT_PRSTATUS>(pid, regs)
}
