//! io_uring: queues, every operation typed, and the kernel behind them.
//!
//! ```text
//!   kernel      the calls a runtime makes: enter, inline and synchronous I/O, clock   (std)
//!   Ring        two queues in shared memory; RingRef from other threads
//!   Sqe, Cqe    an entry of each
//!   BufRing     buffers that the kernel takes from by itself; BufGroup keeps account of them
//!   SendGroup   data queued in such buffers, sent in order
//!   FileTable   files by index; BufferTable and BufferPool: pinned memory by index
//! ```
//!
//! Without the default feature `std` everything but `kernel` is there, for `no_std` with `alloc`.
//!
//! # Safety
//!
//! An operation that lends memory to the kernel is prepared by an `unsafe` method of [`Sqe`],
//! whose `# Safety` says for how long. Everything after that, entering and reaping, is safe:
//! completions come only from a ring.
//!
//! # A tour
//!
//! One ring, one thread, and everything at once: a file is written through memory that stays
//! registered, a client is accepted, and what it sends lands in buffers that the kernel chooses.
//!
//! ```
//! use std::ffi::CString;
//! use std::io::Write;
//! use std::net::{TcpListener, TcpStream};
//! use std::os::fd::AsRawFd;
//! use std::os::unix::ffi::OsStrExt;
//!
//! use annulus_ring::{
//!     BufGroup, BufRingConfig, BufferPool, CancelMatch, Errno, Ring, RingConfig, SqeFlags,
//! };
//!
//! /// Which operation a completion is of.
//! const OPENED: u64 = 1;
//! const WRITTEN: u64 = 2;
//! const SYNCED: u64 = 3;
//! const ACCEPTED: u64 = 4;
//! const RECEIVED: u64 = 5;
//! const CLOSED: u64 = 6;
//! const CANCELLED: u64 = 7;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // 1. The ring. Flags that an older kernel does not know are given up, and it says which.
//! let config = RingConfig { sq_entries: 16, pinned: true, ..RingConfig::default() };
//! let mut ring = match Ring::new(&config) {
//!     Err(Errno::ENOSYS | Errno::EPERM) => return Ok(()), // io_uring is off here
//!     ring => ring?,
//! };
//!
//! // 2. Memory: two registered buffers to write from, sixteen for the kernel to choose from.
//! let pool = BufferPool::new(&ring, 2, 4096)?;
//! let mut group = BufGroup::new(&ring, &BufRingConfig::new(0, 16, 1024))?;
//!
//! // 3. Ask for a file and for clients in one call, and wait for the file.
//! let path = std::env::temp_dir().join(format!("annulus-tour-{}", std::process::id()));
//! let c_path = CString::new(path.as_os_str().as_bytes())?;
//! let flags = libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC;
//! let sqe = ring.get_sqe().expect("room for 16");
//! // SAFETY: the path outlives the operation.
//! unsafe { sqe.prep_openat(libc::AT_FDCWD, c_path.as_ptr(), flags, 0o600) }
//!     .set_user_data(OPENED);
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let sqe = ring.get_sqe().expect("room for 16");
//! sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
//!     .set_user_data(ACCEPTED);
//! ring.submit_and_wait(1)?;
//! let opened = ring.pop().expect("waited for");
//! assert_eq!(opened.user_data(), OPENED, "nobody has connected yet");
//! let file = opened.result()? as i32;
//!
//! // 4. A chain: write, then sync, then close. Each starts when the one before has succeeded.
//! let mut line = pool.claim().expect("both are free");
//! line[..8].copy_from_slice(b"a line.\n");
//! let line = line.lend();
//! let sqe = ring.get_sqe().expect("room");
//! line.prep_write(sqe, file, 0..8, 0).add_flags(SqeFlags::IO_LINK).set_user_data(WRITTEN);
//! let sqe = ring.get_sqe().expect("room");
//! sqe.prep_fsync(file, 0).add_flags(SqeFlags::IO_LINK).set_user_data(SYNCED);
//! ring.get_sqe().expect("room").prep_close(file).set_user_data(CLOSED);
//!
//! // 5. A client, which any other process could be.
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! client.write_all(b"hello, ring")?;
//! client.shutdown(std::net::Shutdown::Write)?;
//!
//! // 6. The loop of any program on a ring: enter, then deal with all that has completed.
//! let (mut received, mut open, mut server) = (Vec::new(), 5, None);
//! while open > 0 {
//!     ring.submit_and_wait(1)?;
//!     while let Some(cqe) = ring.pop() {
//!         if !cqe.more() {
//!             open -= 1; // an operation's last completion
//!         }
//!         match cqe.user_data() {
//!             WRITTEN => assert_eq!(cqe.result(), Ok(8)),
//!             SYNCED | CLOSED | CANCELLED => assert!(cqe.result().is_ok()),
//!             ACCEPTED if cqe.result() == Err(Errno::ECANCELED) => {} // as asked for, below
//!             ACCEPTED => {
//!                 let fd = cqe.result()? as i32;
//!                 let sqe = ring.get_sqe().expect("room");
//!                 group.recv_multishot(sqe, fd, 0)?.set_user_data(RECEIVED);
//!                 // One client is enough.
//!                 let accept = CancelMatch::user_data(ACCEPTED);
//!                 let sqe = ring.get_sqe().expect("room");
//!                 sqe.prep_cancel_match(&accept).set_user_data(CANCELLED);
//!                 server = Some(fd);
//!                 open += 1; // three of the chain, the accept, the receive, and now the cancel
//!             }
//!             RECEIVED => {
//!                 // SAFETY: each completion of the group's receive is told once, in order.
//!                 if let Some(data) = unsafe { group.take(&cqe) }? {
//!                     received.extend_from_slice(&data);
//!                     group.put(data);
//!                 }
//!             }
//!             other => unreachable!("no operation is called {other}"),
//!         }
//!     }
//! }
//! assert_eq!(received, b"hello, ring");
//! assert_eq!(std::fs::read(&path)?, b"a line.\n");
//!
//! // 7. Nothing is under way any more, so the lent buffer can be had back.
//! // SAFETY: the write has had its last completion.
//! let line = unsafe { line.land() };
//! assert_eq!(&line[..7], b"a line.");
//! ring.get_sqe().expect("room").prep_close(server.expect("accepted"));
//! ring.submit_and_wait(1)?;
//! assert_eq!(ring.pop().map(|cqe| cqe.res()), Some(0));
//! std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! What is registered and never moves has more: [`FileTable`] for files, [`WaitRegion`] for waits,
//! [`Personality`] for credentials. [`RingConfig`] has every way to set a ring up, [`Ring`] every
//! way to wait, and [`RingRef`] is for the threads that do not own it.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod buf_ring;
mod bundle;
mod cqe;
mod cqe_wide;
mod cursor;
mod entries;
mod fork;
mod handle;
#[cfg(feature = "std")]
pub mod kernel;
mod map;
mod mask;
mod opcode;
mod probe;
mod queue;
mod register;
mod ring;
mod ring_bytes;
mod ring_memory;
mod ring_ref;
mod setup;
mod sqe;
mod thread_number;
mod version;

pub use annulus_syscalls::Errno;
pub use buf_ring::{
    BufGroup, BufLedger, BufMemory, BufRing, BufRingConfig, BufSpan, RECVMSG_HEADER_BYTES,
    ReceivedMsg, Selected,
};
pub use bundle::{SendGroup, Sent};
pub use cqe::Cqe;
pub use cqe_wide::{Cqe32, MixedCqe};
pub use cursor::Cursor;
pub use entries::{CqEntry, MixedCqes, MixedSqes, SqEntry};
pub use fork::Origin;
#[cfg(feature = "std")]
pub use kernel::{Kernel, SetupError, SockAddr};
pub use mask::Mask;
pub use opcode::Opcode;
pub use probe::Probe;
pub use register::{
    BpfFilter, BpfInstruction, BufferPool, BufferSpan, BufferTable, CancelMatch, CloneSource,
    FileSlot, FileTable, FixedBuf, LentBuf, Message, Napi, NapiTracking, Personality, Query,
    Restriction, SKIP_SLOT, WorkersMax,
};
pub use ring::{
    Clock, Completions, MemRegion, RegionMemory, Ring, SignalSet, TimeLimit, Wait, WaitRegion,
};
pub use ring_bytes::{CQ_ENTRIES_MAX, RingBytes, SQ_ENTRIES_MAX};
pub use ring_memory::RingMemory;
pub use ring_ref::RingRef;
pub use setup::{RingConfig, StepDown};
pub use sqe::{COMMAND_BYTES, CURRENT_POSITION, FSYNC_DATASYNC, Sqe, Sqe128, SqeFlags, WideSqe};
pub use version::Version;
