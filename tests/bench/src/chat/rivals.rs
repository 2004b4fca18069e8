//! Servers of Debian that do what a chat room does: ngircd, inspircd, mosquitto and nats-server, each told to ask nobody
//! who he is, to hold nobody back, and to keep no log.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

use super::wire::{Irc, Mqtt, Nats, Wire};
use crate::machine::Cores;
use crate::server::Server;
use crate::{Result, named};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of them: how it is called, where FILE is its configuration, and what that says, where DIR is its directory.
pub struct Rival {
    pub name: &'static str,
    pub wire: &'static dyn Wire,
    args: &'static str,
    config: &'static str,
    threaded: bool,
}

pub const RIVALS: [Rival; 4] = [
    Rival {
        name: "ngircd",
        wire: &Irc,
        args: "-n -f FILE",
        config: NGIRCD,
        threaded: false,
    },
    Rival {
        name: "inspircd",
        wire: &Irc,
        args: "--runasroot --nofork --nolog --config FILE",
        config: INSPIRCD,
        threaded: false,
    },
    Rival {
        name: "mosquitto",
        wire: &Mqtt,
        args: "-c FILE",
        config: MOSQUITTO,
        threaded: false,
    },
    Rival {
        name: "nats-server",
        wire: &Nats,
        args: "-c FILE",
        config: NATS,
        threaded: true,
    },
];

/// Started by root it becomes somebody else, and would outlive a benchmark that is killed: when all are gone, it ends.
const NGIRCD: &str = "[Global]
Name = room.example.net
Info = room
Listen = 127.0.0.1
Ports = PORT
MotdPhrase = hello
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
IdleTimeout = 10
[Options]
DNS = no
Ident = no
PAM = no
";

const INSPIRCD: &str = r#"<config format="xml">
<server name="room.example.net" description="room" network="Room" id="97K">
<bind address="127.0.0.1" port="PORT" type="clients">
<connect name="all" allow="*" timeout="60" pingfreq="1h" recvq="1M" softsendq="50M" hardsendq="100M" fakelag="off"
 threshold="1000000" commandrate="1000000000" limit="100000" localmax="100000" globalmax="100000" useconnectban="no"
 useconnflood="no" resolvehostnames="no">
<performance somaxconn="4096" softlimit="100000" netbuffersize="65534" clonesonconnect="no">
<options defaultmodes="n">
<files motd="DIR/motd">
<path configdir="DIR" datadir="DIR" logdir="DIR" runtimedir="DIR">
"#;

const MOSQUITTO: &str = "listener PORT 127.0.0.1
allow_anonymous true
user root
persistence false
log_dest none
sys_interval 0
set_tcp_nodelay true
max_connections -1
max_queued_messages 0
";

const NATS: &str = r#"listen: "127.0.0.1:PORT"
max_connections: 100000
max_pending: 268435456
ping_interval: "1h"
log_file: "/dev/null"
"#;

/// A rival that runs, and its files, which go when it does.
pub struct Running {
    pub server: Server,
    _dir: TempDir,
}

impl Rival {
    /// Where it is, if it is there. Debian keeps some where not everybody's PATH leads to.
    pub fn program(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        dirs.map(|dir| dir.join(self.name)).find(|file| file.is_file())
    }

    pub fn start(&self, program: &Path, cores: Cores) -> Result<Running> {
        let dir = TempDir::new().map_err(named("mkdtemp"))?;
        let addr = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .map_err(named("bind"))?;
        let file = self
            .configure(dir.path(), addr)
            .map_err(named(&dir.path().display().to_string()))?;
        let mut command = Command::new(program);
        command.args(self.args.split(' ').map(|arg| match arg {
            "FILE" => file.as_os_str(),
            arg => arg.as_ref(),
        }));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server::silent(command, addr, cores)?;
        server.threaded = self.threaded;
        await_listening(self.name, addr)?;
        Ok(Running { server, _dir: dir })
    }

    fn configure(&self, dir: &Path, addr: SocketAddr) -> std::io::Result<PathBuf> {
        let file = dir.join("config");
        let config = self.config.replace("PORT", &addr.port().to_string());
        fs::write(&file, config.replace("DIR", &dir.display().to_string()))?;
        fs::write(dir.join("motd"), "hello\n")?;
        Ok(file)
    }
}

fn await_listening(name: &str, addr: SocketAddr) -> Result {
    let began = Instant::now();
    while TcpStream::connect(addr).is_err() {
        if began.elapsed() > PATIENCE {
            return Err(format!("{name} does not listen"));
        }
        thread::yield_now();
    }
    Ok(())
}
