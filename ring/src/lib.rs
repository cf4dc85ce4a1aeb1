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
