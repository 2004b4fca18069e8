//! The observer changes nothing: a solution prints the same, and ends the same, observed and left alone.

use crate::{answer::Lab, built, output};
use libtest_mimic::Failed;
use std::process::Command;

/// The commands of each lab, as far as two runs in a row can be compared.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "fork",
        &[
            "twice",
            "pids",
            "memory",
            "flush",
            "exit return 3",
            "exit exit 4",
            "exit _exit 5",
            "family 9",
        ],
    ),
    (
        "wait",
        &[
            "one 7",
            "order",
            "first",
            "nohang",
            "status exit 3",
            "status kill TERM",
            "status stop",
            "all 9",
            "run sh -c exit\\ 42",
            "run /nowhere/at/all",
        ],
    ),
    ("zombie", &["orphan", "zombie", "double", "ignore 5", "handler 9"]),
    // A server prints what its clients bring about, and here nobody is one: only what it says of an address that it cannot
    // have. What it does for clients its checks see from the clients' side.
    (
        "poll",
        &[
            "read blocking",
            "read nonblocking",
            "read timeout 10",
            "select 192.0.2.1:0",
            "poll 192.0.2.1:0",
            "epoll 192.0.2.1:0",
            "edge nowhere",
            "http nowhere",
        ],
    ),
    (
        "struct",
        &[
            "calcsize llh0l",
            "pack i5sf 1 zhang 1.75",
            "unpack i5sf 010000007a68616e670000000000e03f",
            "pack >hQ -2 7",
            "pack b 128",
        ],
    ),
    // Who listens here hears nobody: only what each says where there is no directory, and nobody to talk to.
    (
        "unix",
        &[
            "kind / /dev/null /nowhere/at/all",
            "recv /nowhere/at/all",
            "send /nowhere/at/all",
            "who /nowhere/at/all",
            "take /nowhere/at/all",
            "give /nowhere/at/all /dev/null",
            "pair",
        ],
    ),
    // A room needs somebody in it: only what each says of addresses, and what a client says whose input is empty.
    (
        "chat",
        &[
            "--help",
            "server nowhere",
            "server 192.0.2.1:0",
            "server --stream 192.0.2.1:0",
            "client 127.0.0.1:9",
            "client --stream nowhere",
        ],
    ),
];

/// Compares every command of the lab.
pub fn same(lab: &Lab) -> Result<(), Failed> {
    let commands = COMMANDS.iter().find(|(name, _)| *name == lab.name);
    let (_, commands) = commands.ok_or_else(|| format!("{}: its commands are missing here", lab.name))?;
    let checks = &built()?.checks[&lab.package("solution")];
    let program = checks
        .ancestors()
        .nth(2)
        .unwrap_or(checks)
        .join(lab.package("solution"));
    for command in *commands {
        let arguments: Vec<String> = command
            .replace("\\ ", "\0")
            .split(' ')
            .map(|arg| arg.replace('\0', " "))
            .collect();
        let alone = Command::new(&program).args(&arguments).output()?;
        let (told, observed) = output(
            Command::new(checks)
                .arg("--output")
                .arg(&program)
                .args(&arguments),
        )?;
        if !told {
            return Err(observed.into());
        }
        let alone = format!(
            "{:?}\n{}",
            alone.status.code(),
            settled(&String::from_utf8_lossy(&alone.stdout))
        );
        let observed = observed
            .split_once('\n')
            .map(|(status, text)| format!("{status}\n{}", settled(text)));
        if Some(&alone) != observed.as_ref() {
            return Err(format!(
                "{command}: alone\n{alone}\nobserved\n{}",
                observed.unwrap_or_default()
            )
            .into());
        }
    }
    Ok(())
}

/// Process ids become `P`, free orders are sorted, and looks that found nothing are one.
fn settled(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(renamed).collect();
    lines.dedup_by(|a, b| a == b && a == "working");
    lines.sort();
    lines.join("\n")
}

fn renamed(line: &str) -> String {
    let mut last = "";
    let words = line.split(' ').map(|word| {
        let number = word.trim_end_matches([',', ':']);
        let is_id = ["pid", "parent", "by", "child"].contains(&last) && number.parse::<u32>().is_ok();
        last = word;
        if is_id {
            word.replace(number, "P")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
