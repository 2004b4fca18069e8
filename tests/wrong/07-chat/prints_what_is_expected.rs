//! Refused by every step. Replaces src/main.rs.
//! Prints the lines that server and client should print, and talks to nobody.

use std::io::Write;

fn main() {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("server") => print!(
            "chat room on {}\n",
            args.next().unwrap_or("127.0.0.1:8888".to_owned())
        ),
        Some("client") => print!("name: "),
        _ => {}
    }
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    print!("welcome, {line}");
}
