//! Children whose handles were dropped before they had ended: a thread waits for them.
//!
//! ```text
//!   adopt ──► waiting ──bell──► the thread's own ──pidfd ready──► reaped
//!                │                                                  │ none are left
//!                └── no thread: one is started                      └──► the thread ends
//! ```
//!
//! It is a thread because the children outlive runtimes: whatever ring polled for them would have
//! to hand them on at its end, to another that may not be there.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the thread waits before it asks each child, where the system refuses to wait for all.
const TICK: Duration = Duration::from_millis(100);

struct Orphan {
    child: Child,
    pidfd: OwnedFd,
}

struct Orphans {
    /// Those that the thread has not seen yet.
    waiting: Vec<Orphan>,
    /// Wakes the thread, while there is one.
    bell: Option<UnixStream>,
    /// Whose children these are: not those of a fork of that process.
    process: u32,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans {
    waiting: Vec::new(),
    bell: None,
    process: 0,
});

/// Has `child` reaped once it has ended.
pub(super) fn adopt(child: Child, pidfd: OwnedFd) {
    let mut orphans = lock();
    if orphans.process != std::process::id() {
        // A fork has neither the children nor the thread.
        orphans.waiting.clear();
        orphans.bell = None;
        orphans.process = std::process::id();
    }
    // What a thread that could not be started has left.
    orphans.waiting.retain_mut(Orphan::is_running);
    orphans.waiting.push(Orphan { child, pidfd });
    let called = match &mut orphans.bell {
        // Too full for another byte: it is awake.
        Some(bell) => bell.write(&[0]).map(drop).or_else(would_block),
        None => start().map(|bell| orphans.bell = Some(bell)),
    };
    if let Err(error) = called {
        trace::warn!("a dropped child process stays a zombie until the next is dropped: {error}");
    }
}

fn would_block(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(error),
    }
}

/// Starts the thread; what wakes it.
fn start() -> io::Result<UnixStream> {
    let (ours, bell) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    bell.set_nonblocking(true)?;
    thread::Builder::new()
        .name("annulus-orphans".into())
        .spawn(move || run(&ours))?;
    Ok(bell)
}

fn run(bell: &UnixStream) {
    let mut mine = Vec::new();
    loop {
        {
            let mut orphans = lock();
            mine.append(&mut orphans.waiting);
            if mine.is_empty() {
                orphans.bell = None;
                return;
            }
        }
        wait(bell, &mine);
        mine.retain_mut(Orphan::is_running);
    }
}

/// Waits until a child has ended or the bell rings.
fn wait(mut bell: &UnixStream, orphans: &[Orphan]) {
    let fds = orphans.iter().map(|orphan| orphan.pidfd.as_raw_fd());
    let mut polls: Vec<_> = std::iter::once(bell.as_raw_fd())
        .chain(fds)
        .map(|fd| os::pollfd {
            fd,
            events: os::POLLIN,
            revents: 0,
        })
        .collect();
    // SAFETY: the entries are exclusively borrowed for the call, and as many as said.
    let ready = unsafe { os::poll(polls.as_mut_ptr(), polls.len() as os::nfds_t, -1) };
    if ready < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
        // No memory, or fewer descriptors allowed than there are.
        thread::sleep(TICK);
    }
    while matches!(bell.read(&mut [0; 64]), Ok(1..)) {}
}

impl Orphan {
    /// Reaps it if it has ended. False also if somebody else has done so.
    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

fn lock() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}
