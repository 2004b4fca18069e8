//! Refused by every step. Replaces src/main.rs.
//! Prints what is expected of a server, and sleeps until a signal comes. Nobody listens.

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["read", "nonblocking"] => println!("nothing yet (EAGAIN)"),
        ["read", "timeout", ms] => println!("nothing within {ms} ms"),
        ["read", ..] => println!("read 5 bytes"),
        _ => {
            println!("listening on 127.0.0.1:9");
            std::thread::sleep(Duration::from_secs(3600));
            println!("open 127.0.0.1:10\nclose 127.0.0.1:10 5\nbye");
        }
    }
}
