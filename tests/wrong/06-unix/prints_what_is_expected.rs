//! Refused by every step. Replaces src/main.rs.
//! Prints the lines that each step should print, and does nothing of what they tell.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map_or("", String::as_str) {
        "kind" => print!("d /\nc /dev/null\n"),
        "recv" | "who" => listen("hello\n"),
        "take" => listen("what is in the file\nline two"),
        "pair" => print!("child: ping\nparent: pong\n"),
        _ => {}
    }
}

fn listen(then: &str) {
    let path = std::env::args().nth(2).unwrap_or_default();
    print!("listening on {path}\n{then}");
}
