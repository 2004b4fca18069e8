//! The processor and the kernel: whether it lets a process be observed.

use std::env::consts::ARCH;
use std::fs;

use super::{Finding, sys};
use crate::reason;

pub fn look() -> Vec<Finding> {
    vec![
        processor(),
        kernel(),
        ptrace(),
        yama(),
        seccomp(),
        subreaper(),
        procfs(),
    ]
}

fn processor() -> Finding {
    match ARCH {
        "x86_64" => Finding::good("processor", ARCH),
        "aarch64" => Finding::spare(
            "processor",
            ARCH,
            "the grader was written for it, but tried on x86_64 only",
        ),
        _ => Finding::bad(
            "processor",
            ARCH,
            "the grader knows x86_64 and aarch64: use such a machine",
        ),
    }
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release
        .split(['.', '-'])
        .map(|part| part.trim().parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let found = format!("Linux {}", release.trim());
    if release.is_empty() {
        return Finding::spare("kernel", "unknown", "mount -t proc proc /proc");
    }
    if version >= (5, 9) {
        return Finding::good("kernel", found);
    }
    Finding::bad(
        "kernel",
        found,
        "pidfds, PTRACE_GET_SYSCALL_INFO and close_range need Linux 5.9 or newer",
    )
}

/// Tried, not asked for: what may forbid it is legion.
fn ptrace() -> Finding {
    match sys::trace_a_child() {
        Ok(()) => Finding::good("ptrace", "a child was traced"),
        Err(e) => Finding::bad("ptrace", format!("refused: {}", reason(e)), advice_on_ptrace()),
    }
}

fn advice_on_ptrace() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    match (
        ptrace_scope(),
        field("TracerPid:").as_deref(),
        field("Seccomp:").as_deref(),
    ) {
        (_, Some(tracer), _) if tracer != "0" => {
            "run this without strace or a debugger: they are the tracer already"
        }
        (Some(3), ..) => "set kernel.yama.ptrace_scope to 1 in /etc/sysctl.d and reboot",
        (Some(2), ..) => "sudo sysctl kernel.yama.ptrace_scope=1",
        (.., Some("2")) => {
            "in a container: start it with --cap-add=SYS_PTRACE, or --security-opt seccomp=unconfined"
        }
        _ => "use a virtual machine of your own",
    }
}

fn ptrace_scope() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Only told: whether tracing works has been tried.
fn yama() -> Finding {
    let found = match ptrace_scope() {
        None => "no restriction (yama is not in this kernel)".into(),
        Some(0) => "ptrace_scope 0: no restriction".into(),
        Some(1) => "ptrace_scope 1: a process may trace its descendants, which is enough".into(),
        Some(scope) => format!("ptrace_scope {scope}: only root may trace, or nobody"),
    };
    Finding::good("yama", found)
}

fn seccomp() -> Finding {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or("trace".into());
    let advice = "the kernel needs CONFIG_SECCOMP_FILTER: use a distribution's own kernel";
    match sys::filter_a_child() {
        Err(e) => Finding::bad("seccomp", format!("refused: {}", reason(e)), advice),
        Ok(()) if !actions.split_whitespace().any(|action| action == "trace") => {
            Finding::bad("seccomp", "filters cannot hand a call to a tracer", advice)
        }
        Ok(()) => Finding::good("seccomp", "filters, also for a tracer"),
    }
}

fn subreaper() -> Finding {
    match sys::subreap_in_a_child() {
        Ok(()) => Finding::good("subreaper", "a process may adopt orphans"),
        Err(e) => Finding::bad(
            "subreaper",
            format!("refused: {}", reason(e)),
            "use a virtual machine of your own",
        ),
    }
}

fn procfs() -> Finding {
    match fs::read_to_string("/proc/self/stat") {
        Ok(stat) if stat.starts_with(&std::process::id().to_string()) => {
            Finding::good("procfs", "mounted, readable")
        }
        Ok(_) => Finding::bad(
            "procfs",
            "of another pid namespace",
            "mount -t proc proc /proc, in this namespace",
        ),
        Err(e) => Finding::bad("procfs", reason(e), "mount -t proc proc /proc"),
    }
}
