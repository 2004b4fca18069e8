//! Where `ptrace` or a seccomp filter is refused, what can be judged from outside is, and the rest is "not checked", never
//! failed. This binary starts itself again where they are refused: the checks named `there_…` are made in that place.

mod common;

use common::{LAB, Mark, that};
use grader::{End, Errno, Family, SignalName, Verdict, checks, libc};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode, Output},
};

/// What is refused in this process, when it is the one started again.
const REFUSED: &str = "SPECIMEN_REFUSED";

fn main() -> ExitCode {
    if std::env::var_os(REFUSED).is_some() {
        return LAB.main(checks![
            there_all_is_right,
            there_the_output_is_wrong,
            there_the_status_is_wrong,
            there_a_fault_is_ordered,
            there_an_order_is_ordered,
            there_somebody_is_left_behind,
            there_a_bomb_goes_off,
            there_a_bomb_of_sessions_goes_off,
            there_is_a_flood,
            there_is_a_hang,
            there_somebody_types,
            there_is_no_such_program,
            there_a_server_answers,
        ]);
    }
    LAB.main(checks![
        what_is_right_is_not_failed,
        a_wrong_output_is_refused,
        a_wrong_status_is_refused,
        what_needs_the_witness_is_not_checked,
        nobody_is_left_there_either,
        a_fork_bomb_is_contained_there_too,
        a_flood_is_cut_there_too,
        a_hang_ends_there_too,
        a_test_can_act_there_too,
        what_cannot_be_started_is_told_there_too,
        a_server_is_judged_where_the_kernel_gives_only_a_list,
    ])
}

#[derive(Clone, Copy)]
enum Refused {
    Ptrace,
    Seccomp,
    Netlink,
}

/// Makes the check `name` in a process, and among descendants of it, to which the kernel refuses that.
fn there(name: &str, refused: Refused) -> Output {
    let mut test = Command::new(std::env::current_exe().expect("a test has a file"));
    test.args(["--exact", name]).env(REFUSED, "1");
    // SAFETY: between fork and exec `refuse` only makes system calls.
    unsafe { test.pre_exec(move || refuse(refused)) };
    test.output().expect("a child")
}

/// A filter under which one call fails with `EPERM`, and all others are as ever (`seccomp(2)`).
fn refuse(refused: Refused) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let op = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let (nr, first_argument) = (0, 16); // of `struct seccomp_data`, on a little-endian machine
    let eperm = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut filter = match refused {
        Refused::Ptrace => vec![
            op(LOAD, 0, 0, nr),
            op(EQUAL, 0, 1, libc::SYS_ptrace as u32),
            op(RETURN, 0, 0, eperm),
            op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        ],
        Refused::Seccomp => vec![
            op(LOAD, 0, 0, nr),
            op(EQUAL, 4, 0, libc::SYS_seccomp as u32),
            op(EQUAL, 0, 2, libc::SYS_prctl as u32),
            op(LOAD, 0, 0, first_argument),
            op(EQUAL, 1, 0, libc::PR_SET_SECCOMP as u32),
            op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
            op(RETURN, 0, 0, eperm),
        ],
        Refused::Netlink => vec![
            op(LOAD, 0, 0, nr),
            op(EQUAL, 0, 2, libc::SYS_socket as u32),
            op(LOAD, 0, 0, first_argument),
            op(EQUAL, 1, 0, libc::AF_NETLINK as u32),
            op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
            op(RETURN, 0, 0, eperm),
        ],
    };
    nix::sys::prctl::set_no_new_privs()?;
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: `program` and what it points at outlive the call.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    Errno::result(done).map(drop).map_err(io::Error::from)
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The check is made there, and comes out so, whichever of the two is refused.
fn comes_out(name: &str, passed: bool, says: &str) -> Verdict {
    for refused in [Refused::Ptrace, Refused::Seccomp] {
        let output = there(name, refused);
        let text = text(&output);
        assert!(text.contains("running 1 test"), "the check is there: {text}");
        assert_eq!(output.status.success(), passed, "{name}: {text}");
        assert!(text.contains(says), "{name} says `{says}`: {text}");
    }
    Ok(())
}

fn what_is_right_is_not_failed() -> Verdict {
    comes_out("there_all_is_right", true, "not checked")
}

fn there_all_is_right() -> Verdict {
    let story = LAB.command(&["wait"]).run()?;
    story.expect_exit(0)?;
    story.expect_lines(&["3"])?;
    story.expect_all_reaped()
}

fn a_wrong_output_is_refused() -> Verdict {
    comes_out("there_the_output_is_wrong", false, "it printed")
}

fn there_the_output_is_wrong() -> Verdict {
    let story = LAB.command(&["wait"]).run()?;
    story.expect_exit(0)?;
    story.expect_lines(&["4"])?;
    story.expect_all_reaped()
}

fn a_wrong_status_is_refused() -> Verdict {
    comes_out("there_the_status_is_wrong", false, "it exited with 7")
}

fn there_the_status_is_wrong() -> Verdict {
    LAB.command(&["exit", "7"]).run()?.expect_exit(0)
}

fn what_needs_the_witness_is_not_checked() -> Verdict {
    comes_out("there_a_fault_is_ordered", true, "not checked")?;
    comes_out("there_an_order_is_ordered", true, "not checked")
}

fn there_a_fault_is_ordered() -> Verdict {
    let story = LAB
        .command(&["forks", "fork"])
        .fail(Family::Fork, 1, Errno::EAGAIN)
        .run()?;
    story.expect_lines(&["fork: EAGAIN", "fork: ok", "fork: ok"])
}

fn there_an_order_is_ordered() -> Verdict {
    let story = LAB
        .command(&["collect", "3"])
        .hold_signal("main", SignalName::SIGCHLD)
        .run()?;
    story.expect_lines(&["reaped 3"])?;
    panic!("no order can be kept here");
}

fn nobody_is_left_there_either() -> Verdict {
    comes_out("there_somebody_is_left_behind", true, "not checked")
}

fn there_somebody_is_left_behind() -> Verdict {
    for kind in ["daemon", "ticking", "escape"] {
        let mark = Mark::new();
        let story = mark.command(&[kind]).run()?;
        let left = matches!(&story.end, End::LeftBehind(names) if names.len() == 1);
        assert!(left, "one was left behind: {:?}", story.end);
        assert!(mark.survivors().is_empty(), "and is there no more");
    }
    // That it was still there a while later is nothing to judge by.
    LAB.command(&["daemon"]).run()?.expect_exit(0)
}

fn a_fork_bomb_is_contained_there_too() -> Verdict {
    comes_out("there_a_bomb_goes_off", true, "not checked")?;
    comes_out("there_a_bomb_of_sessions_goes_off", true, "not checked")
}

fn goes_off(args: &[&str]) -> Verdict {
    let (place, mark) = (tempfile::tempdir().expect("a directory"), Mark::new());
    let counter = place.path().join("born");
    let args: Vec<&str> = args.iter().copied().chain(counter.to_str()).collect();
    let story = mark.command(&args).run()?;
    that(&story, mark.survivors().is_empty(), "nobody is left")?;
    that(
        &story,
        matches!(story.end, End::TooMany(_)),
        "there were too many",
    )?;
    let born = born(&counter);
    that(
        &story,
        born < 1000,
        &format!("it was stopped before it stopped itself (it came to {born})"),
    )?;
    story.observed()
}

fn born(counter: &Path) -> u32 {
    let mut number = [0; 4];
    File::open(counter)
        .and_then(|mut file| file.read_exact(&mut number))
        .expect("the specimen's own count");
    u32::from_ne_bytes(number)
}

fn there_a_bomb_goes_off() -> Verdict {
    goes_off(&["bomb"])
}

fn there_a_bomb_of_sessions_goes_off() -> Verdict {
    goes_off(&["bomb", "setsid"])
}

fn a_flood_is_cut_there_too() -> Verdict {
    comes_out("there_is_a_flood", true, "not checked")
}

fn there_is_a_flood() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["flood"]).run()?;
    that(
        &story,
        matches!(story.end, End::TooMuch(_)) && story.stdout.len() == 256 * 1024,
        "it is cut",
    )?;
    that(&story, mark.survivors().is_empty(), "nobody is left")?;
    story.observed()
}

fn a_hang_ends_there_too() -> Verdict {
    comes_out("there_is_a_hang", true, "not checked")
}

fn there_is_a_hang() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["hang", "two"]).seconds(1).run()?;
    let up = matches!(story.end, End::TimeLimit { .. });
    assert!(up, "the time was up: {:?}", story.end);
    assert!(mark.survivors().is_empty(), "nobody is left");
    story.expect_over()
}

fn a_test_can_act_there_too() -> Verdict {
    comes_out("there_somebody_types", true, "not checked")
}

fn there_somebody_types() -> Verdict {
    let mut run = LAB.command(&["echo"]).input("").start()?;
    run.until_quiet()?.expect_stdout("")?;
    run.input(b"hello\n")?;
    run.until_quiet()?.expect_lines(&["you said hello"])?;
    run.close_input()?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["you said hello", "the end"])?;
    story.observed()
}

fn what_cannot_be_started_is_told_there_too() -> Verdict {
    comes_out("there_is_no_such_program", true, "not checked")
}

fn there_is_no_such_program() -> Verdict {
    let story = grader::Run::new(Path::new("/no/such/program"), &[]).run()?;
    that(
        &story,
        story.end == End::NotStarted("No such file or directory".to_owned()),
        "the reason is told",
    )?;
    LAB.command(&["wait"]).run()?.observed()
}

/// One cannot ask about one connection there (`sock_diag(7)`), and reads the list of all.
fn a_server_is_judged_where_the_kernel_gives_only_a_list() -> Verdict {
    let output = there("there_a_server_answers", Refused::Netlink);
    let text = text(&output);
    assert!(text.contains("running 1 test"), "the check is there: {text}");
    assert!(output.status.success(), "it passes: {text}");
    Ok(())
}

fn there_a_server_answers() -> Verdict {
    let mut server = LAB.command(&["serve", "rightly"]).serve()?;
    let (mut one, mut two) = (server.connect()?, server.connect()?);
    one.send(b"hello");
    server.expect(&mut one, b"hello", "the first")?;
    server.reset(one)?;
    two.send(b"and me");
    server.expect(&mut two, b"and me", "the second")?;
    two.finish();
    server.expect_closed(&mut two, "it has finished")
}
