//! The program that the grader's own tests look at. Each subcommand does one thing that processes do, rightly or wrongly;
//! what it finds out it prints. It may sleep and race: the tests may not.
//!
//! A test's program must not be able to take the machine down when the grader is broken, so whatever multiplies here counts
//! itself, and whatever runs on ends by an alarm of its own.

mod calls;
mod children;
mod crowds;
mod endless;
mod rooms;
mod servers;
mod sys;
mod threads;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let status = match args[..] {
        ["say", word] => sys::said(word),
        ["exit", code] => code.parse().unwrap_or(2),

        ["wait"] => children::wait(),
        ["double"] => children::double(),
        ["vfork"] => children::vfork(),
        ["spawn"] => children::spawn(),
        ["stop"] => children::stop(),
        ["ignored"] => children::ignored(),
        ["nocldwait"] => children::nocldwait(),
        ["nocldwait", "exec"] => children::nocldwait_then_exec(),
        ["nowait"] => children::nowait(),
        ["null"] => children::null(),
        ["killed"] => children::killed(),
        ["leak"] => children::leak(),
        ["orphan"] => children::orphan(),
        ["sister"] => children::sister(),
        ["subreaper"] => children::subreaper(),
        ["gone"] => children::gone(),
        ["relay"] => children::relay(),
        ["learns", way] => children::learns(way),
        ["asleep"] => children::asleep(),

        ["thread"] => threads::thread(),
        ["thread", "fork"] => threads::fork(),
        ["thread", "exec"] => threads::exec(),
        ["thread", "leader"] => threads::leader(),
        ["thread", "stop"] => threads::stop(),

        ["race", number] => crowds::race(number.parse().unwrap_or(2)),
        ["steps"] => crowds::steps(),
        ["chain"] => crowds::chain(),
        ["collect", number] => crowds::collect(number.parse().unwrap_or(2), false),
        ["collect", number, "waiting"] => crowds::collect(number.parse().unwrap_or(2), true),
        ["slain"] => crowds::slain(),
        ["bomb", counter] => crowds::bomb(counter, false),
        ["bomb", "setsid", counter] => crowds::bomb(counter, true),

        ["hang"] => endless::hang(),
        ["hang", "two"] => endless::hang_of_two(),
        ["hang", "stopped"] => endless::stopped(),
        ["hang", "child"] => endless::stopped_child(),
        ["spin", "cpu"] => endless::spin(),
        ["spin", "nohang"] => endless::spin_nohang(),
        ["spin", "yield"] => endless::spin_yield(),
        ["spin", "getppid"] => endless::spin_getppid(),
        ["spin", "write"] => endless::spin_write(),
        ["flood"] => endless::flood(),
        ["chatter"] => endless::chatter(),
        ["scribble"] => endless::scribble(),
        ["daemon"] => endless::daemon(),
        ["ticking"] => endless::ticking(),
        ["tick"] => endless::tick(),
        ["slowly"] => endless::slowly(),
        ["escape"] => endless::escape(),
        ["locked"] => endless::locked(),
        ["stay", fifo] => endless::stay(fifo),

        ["datagram", "echo"] => rooms::echo(),
        ["datagram", "count", to, most] => rooms::count(to, most.parse().unwrap_or(1)),
        ["datagram", "knock", to] => rooms::knock(to),
        ["terminal"] => rooms::terminal(),

        ["serve", "path"] => servers::serve_path(),
        ["serve", way] => servers::serve(way, "127.0.0.1:0"),
        ["serve", way, addr] => servers::serve(way, addr),
        ["limits"] => servers::limits(),
        ["unblock"] => servers::unblock(),

        ["pieces"] => calls::pieces(),
        ["bytes"] => calls::bytes(),
        ["unheard"] => calls::unheard(),
        ["echo"] => calls::echo(),
        ["quick"] => calls::quick(),
        ["realtime"] => calls::realtime(),
        ["handler", restarts] => calls::handler(restarts == "restart"),
        ["epoll"] => calls::epoll(),
        ["recv"] => calls::recv(),
        ["recv", "inherited"] => calls::recv_inherited(true),
        ["recv", "orphaned"] => calls::recv_inherited(false),
        ["forks", way] => calls::forks(way),
        ["blocks"] => calls::blocks(),
        ["polls"] => calls::polls(),
        ["exec", path] => calls::exec(path),
        ["write", number] => calls::writes(number.parse().unwrap_or(1)),
        _ => {
            eprintln!("specimen: no such subcommand: {args:?}");
            2
        }
    };
    ExitCode::from(status)
}
