//! The server under attack, and how a test starts it.
//!
//! A frame is a length of four bytes, most significant first, and as many bytes, which come back.
//! An empty frame asks how many connections there are; [`ENDLESS`] asks for 64 MiB. What begins
//! with letters is HTTP, and gets an answer as short as they come.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::RecvMode;
use annulus::time::timeout;
use annulus_tests::{fd_limit, multi_thread, nothing_in_flight};

/// A longer frame closes its connection.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// A longer head of a request does.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// What asks for many bytes: no length that is allowed.
pub(crate) const ENDLESS: u32 = u32::MAX;
/// How much those are.
const ENDLESS_BYTES: usize = 64 << 20;
/// What a connection reads at once.
const READ_BYTES: usize = 2 << 10;

/// In the child: how long a connection may say nothing, in milliseconds.
const IDLE_MS: &str = "ANNULUS_TEST_SERVER_IDLE_MS";
/// In the child: how streams receive.
const MODE: &str = "ANNULUS_TEST_SERVER_MODE";

/// Both ways of receiving, for scenarios that run under each.
pub(crate) const MODES: [&str; 2] = ["base", "hot"];

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(mode: &str, idle: Duration) -> Server {
        let program = std::env::current_exe().expect("a test knows its own path");
        let mut child = Command::new(program)
            .args(["server::serves", "--exact", "--nocapture"])
            .env(IDLE_MS, idle.as_millis().to_string())
            .env(MODE, mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary starts again");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            let read = stdout.read_line(&mut line).expect("it is text");
            assert_ne!(read, 0, "the server ended");
            if let Some((_, address)) = line.trim_end().split_once("serving ") {
                break address.parse().expect("an address");
            }
        };
        Server {
            child,
            stdin,
            stdout,
            address,
        }
    }

    /// The most memory it has had resident by now.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let text = text.expect("it runs");
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") << 10
    }

    /// How many connections it has, the one that asks not counted.
    pub(crate) fn connections(&self) -> u64 {
        let mut stream = std::net::TcpStream::connect(self.address).expect("it listens");
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("30 s is one");
        stream.write_all(&[0; 4]).expect("it reads");
        let mut count = [0; 8];
        stream.read_exact(&mut count).expect("it answers");
        u64::from_be_bytes(count) - 1
    }

    /// Ends it: it reports, and fails if anything is in flight.
    pub(crate) fn end(mut self, limit_bytes: u64) {
        let peak = self.peak_bytes();
        drop(self.stdin.take());
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).expect("it is text");
        let status = self.child.wait().expect("it ends");
        let report = text.lines().find(|line| line.contains("refused"));
        println!(
            "{}; peak {} of {} MiB",
            report.unwrap_or_default(),
            peak >> 20,
            limit_bytes >> 20
        );
        assert!(status.success(), "the server: {status}: {text}");
        assert!(peak <= limit_bytes, "{peak} bytes resident");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Counts {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    idle: AtomicU64,
    errors: AtomicU64,
}

/// The server's own process. Without what a test sets, it does nothing.
#[test]
fn serves() {
    let Ok(idle) = std::env::var(IDLE_MS) else {
        return;
    };
    let idle = Duration::from_millis(idle.parse().expect("a number"));
    let mode = match std::env::var(MODE).as_deref() {
        Ok("hot") => RecvMode::Hot,
        _ => RecvMode::Base,
    };
    fd_limit(u64::MAX).expect("the hard limit may be asked for");
    let runtime = multi_thread(mode).build().expect("it builds");
    let counts = Arc::new(Counts::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("it binds");
    println!("serving {}", listener.local_addr().expect("it is bound"));
    let accepting = runtime.spawn(accept(listener, counts.clone(), idle));
    // Until the test closes it.
    let mut end = String::new();
    std::io::stdin().read_line(&mut end).expect("it is a pipe");
    accepting.abort();
    drop(runtime);
    println!(
        "accepted {}, refused {}, idle {}, errors {}",
        counts.accepted.load(Relaxed),
        counts.refused.load(Relaxed),
        counts.idle.load(Relaxed),
        counts.errors.load(Relaxed)
    );
    nothing_in_flight("the server");
}

async fn accept(listener: TcpListener, counts: Arc<Counts>, idle: Duration) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                counts.accepted.fetch_add(1, Relaxed);
                counts.open.fetch_add(1, Relaxed);
                annulus::spawn(connection(stream, counts.clone(), idle));
            }
            Err(_) => _ = counts.errors.fetch_add(1, Relaxed),
        }
    }
}

/// Counts its connection as long as it lives.
struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

async fn connection(mut stream: TcpStream, counts: Arc<Counts>, idle: Duration) {
    let open = Open(counts.clone());
    // Grows with what came, not with what was announced.
    let mut bytes = Vec::new();
    loop {
        let used = match answer(&mut stream, &bytes, &counts, idle).await {
            Ok(used) => used,
            Err(()) => break,
        };
        if used > 0 {
            bytes.drain(..used);
            continue;
        }
        if bytes.is_empty() {
            bytes = Vec::new();
        }
        bytes.reserve(READ_BYTES);
        match timeout(idle, stream.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => break,
            Err(_) => {
                counts.idle.fetch_add(1, Relaxed);
                break;
            }
        }
    }
    drop(open);
}

/// Answers what is whole in `bytes`, and says how many those were.
async fn answer(
    stream: &mut TcpStream,
    bytes: &[u8],
    counts: &Counts,
    idle: Duration,
) -> Result<usize, ()> {
    let Some(head) = bytes.first_chunk::<4>() else {
        return Ok(0);
    };
    if head.is_ascii() && head[0].is_ascii_alphabetic() {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end else {
            return refuse_if(bytes.len() > HEAD_BYTES_MAX, counts);
        };
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
        write(stream, text, counts, idle).await?;
        return Ok(end + 4);
    }
    let len = u32::from_be_bytes(*head);
    if len == 0 {
        let open = counts.open.load(Relaxed);
        write(stream, &open.to_be_bytes(), counts, idle).await?;
        return Ok(4);
    }
    if len == ENDLESS {
        for _ in 0..ENDLESS_BYTES >> 16 {
            write(stream, &[0; 1 << 16], counts, idle).await?;
        }
        return Ok(4);
    }
    let len = len as usize;
    refuse_if(len > FRAME_BYTES_MAX, counts)?;
    match bytes.get(..4 + len) {
        Some(frame) => {
            write(stream, frame, counts, idle).await?;
            Ok(4 + len)
        }
        None => Ok(0),
    }
}

fn refuse_if(refused: bool, counts: &Counts) -> Result<usize, ()> {
    if refused {
        counts.refused.fetch_add(1, Relaxed);
        return Err(());
    }
    Ok(0)
}

async fn write(
    stream: &mut TcpStream,
    bytes: &[u8],
    counts: &Counts,
    idle: Duration,
) -> Result<(), ()> {
    match timeout(idle, stream.write_all(bytes)).await {
        Ok(written) => written.map_err(drop),
        Err(_) => {
            counts.idle.fetch_add(1, Relaxed);
            Err(())
        }
    }
}
