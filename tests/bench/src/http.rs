//! The last part of `just bench servers`: the reference's HTTP server against nginx.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::chart::thousands;
use crate::load::{Answer, Crowd, Question};
use crate::machine::Cores;
use crate::server::Server;
use crate::servers::{Bench, Subject, cells, ratio};
use crate::show::{median, table};
use crate::{Result, named, sibling};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

/// Ours, which makes a page for each request, next to nginx, which has one in a file.
pub fn run(bench: &Bench) -> Result {
    let program = sibling("solution-poll")?;
    let ours = Subject {
        name: "http",
        program,
        step: Some("http"),
    };
    if Command::new("nginx").arg("-v").output().is_err() {
        println!("nginx is not installed: http is compared with nothing");
        return Ok(());
    }
    let dir = nginx_dir(page(bench.start(&ours)?.addr)?)?;
    let mut rows = vec![cells("ns a request", "http nginx ratio")];
    for clients in [1, 50, 500] {
        let name = format!("{clients} clients");
        let costs = bench.rounds(&format!("http, {name}"), 2, |at| match at {
            0 => requests(&bench.start(&ours)?, clients, bench.time),
            _ => requests(&start_nginx(&dir, bench.cores)?, clients, bench.time),
        })?;
        let mut row = vec![name];
        row.extend(costs.iter().map(|costs| thousands(median(costs))));
        row.push(format!("{:.2}", ratio(&costs[0], &costs[1])));
        rows.push(row);
    }
    println!("{}", table(&rows));
    Ok(())
}

fn requests(server: &Server, clients: usize, time: Duration) -> Result<f64> {
    let question = Question {
        ask: REQUEST.to_vec(),
        answer: Answer::Length(answer(server.addr)?.len()),
    };
    let mut crowd = Crowd::new(server);
    crowd.grow_asking(clients, &question)?;
    crowd.busy(&question, time)
}

/// The length of the page that a server answers with.
fn page(addr: SocketAddr) -> Result<usize> {
    let answer = answer(addr)?;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("an answer without a body")?;
    Ok(answer.len() - end - 4)
}

/// The whole answer to the request: as much as comes until the server has said that this was the length.
fn answer(addr: SocketAddr) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).map_err(named("connect"))?;
    stream.write_all(REQUEST).map_err(named("write"))?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&answer) {
        match stream.read(&mut piece).map_err(named("read"))? {
            0 => return Err("half an answer".into()),
            n => answer.extend(&piece[..n]),
        }
    }
    match answer.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(answer),
        false => Err(String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .into()),
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: usize| body.len() >= length)
}

/// A directory for nginx, with a page of that length in it.
fn nginx_dir(page: usize) -> Result<PathBuf> {
    let dir = env::current_exe()
        .map_err(named("bench"))?
        .with_file_name("nginx");
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(dir.join("index.html"), "x".repeat(page)))
        .map_err(named("nginx"))?;
    Ok(dir)
}

/// What nginx is told: one process, no log, a page that stays open, connections too.
fn config(addr: SocketAddr) -> String {
    format!(
        "daemon off; master_process off; pid pid; error_log error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; keepalive_requests 1000000000; open_file_cache max=10; root .; default_type text/html;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    server {{ listen {addr} backlog=4096; }}
}}
"
    )
}

fn start_nginx(dir: &Path, cores: Cores) -> Result<Server> {
    let addr = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .map_err(named("bind"))?;
    fs::write(dir.join("nginx.conf"), config(addr)).map_err(named("nginx"))?;
    let mut nginx = Command::new("nginx");
    nginx
        .arg("-p")
        .arg(dir)
        .args(["-e", "error.log", "-c", "nginx.conf"]);
    let server = Server::silent(nginx, addr, cores)?;
    let began = Instant::now();
    while TcpStream::connect(addr).is_err() {
        if began.elapsed() > Duration::from_secs(5) {
            return Err(format!(
                "nginx does not listen: see {}",
                dir.join("error.log").display()
            ));
        }
        thread::yield_now();
    }
    Ok(server)
}
