//! `Sqe`: an operation as the kernel reads it, and one `prep_*` method per operation.
//!
//! A method writes the whole entry except `user_data`, which stays what it was. It is `unsafe`
//! exactly where the kernel is lent memory: *lent until* says how long that memory must stay.
//! Three spans occur:
//!
//! - **until consumed**: an enter has returned and counted the entry
//!   ([`Ring::sq_queued`](crate::Ring::sq_queued) no longer does). Holds for arguments such as
//!   paths, `iovec` arrays, `msghdr` and timeouts, on every kernel with SUBMIT_STABLE (5.5), and
//!   without SQPOLL;
//! - **until the last CQE**: the one without [`more`](crate::Cqe::more). Holds for data;
//! - **until the notification**: [`notif`](crate::Cqe::notif), for zero-copy sends. It is the
//!   last CQE there.
//!
//! A descriptor is a number here. Whoever submits it answers for it being the right one when the
//! entry is consumed; afterwards the kernel holds the file itself.

mod buffers;
mod cancel;
mod command;
mod epoll;
mod file;
mod flags;
mod fs;
mod futex;
mod message;
mod poll;
mod rw;
mod socket;
mod splice;
mod stream;
mod timeout;
mod wide;
mod xattr;
mod zcrx;

pub use flags::SqeFlags;
pub use wide::{COMMAND_BYTES, Sqe128, WideSqe};

use core::fmt;

use annulus_syscalls::io_uring::flags::rw::IORING_FSYNC_DATASYNC;
use annulus_syscalls::io_uring::io_uring_sqe;

use crate::opcode::Opcode;

/// The current position of a file, as an offset of reads and writes.
pub const CURRENT_POSITION: u64 = u64::MAX;

/// The flag that makes [`prep_fsync`](Sqe::prep_fsync) `fdatasync`(2).
pub const FSYNC_DATASYNC: u32 = IORING_FSYNC_DATASYNC;

/// A submission queue entry.
///
/// ```
/// use annulus_ring::{Opcode, Sqe};
///
/// let mut sqe = Sqe::new();
/// sqe.prep_shutdown(5, 2).set_user_data(7);
/// assert_eq!(sqe.opcode(), Opcode::SHUTDOWN);
/// assert_eq!(sqe.user_data(), 7);
/// ```
#[repr(transparent)]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sqe(io_uring_sqe);

/// The places that most operations fill; everything else is zero.
struct Common {
    opcode: Opcode,
    fd: i32,
    addr: u64,
    len: u32,
    off: u64,
}

impl Sqe {
    /// A zeroed entry: a `NOP`.
    #[must_use]
    pub const fn new() -> Sqe {
        Sqe(io_uring_sqe {
            opcode: 0,
            flags: 0,
            ioprio: 0,
            fd: 0,
            off: 0,
            addr: 0,
            len: 0,
            op_flags: 0,
            user_data: 0,
            buf_index: 0,
            personality: 0,
            file_index: 0,
            addr3: 0,
            attr_type_mask: 0,
        })
    }

    /// The word that comes back in the CQE.
    #[inline]
    pub fn set_user_data(&mut self, user_data: u64) -> &mut Sqe {
        self.0.user_data = user_data;
        self
    }

    /// The word that comes back in the CQE.
    #[inline]
    #[must_use]
    pub fn user_data(&self) -> u64 {
        self.0.user_data
    }

    /// Replaces the flags, those included that the `prep_*` method set because it needs them:
    /// [`add_flags`](Sqe::add_flags) keeps these.
    #[inline]
    pub fn set_flags(&mut self, flags: SqeFlags) -> &mut Sqe {
        self.0.flags = flags.bits();
        self
    }

    /// Adds flags to those that are set.
    #[inline]
    pub fn add_flags(&mut self, flags: SqeFlags) -> &mut Sqe {
        self.set_flags(self.flags() | flags)
    }

    /// The flags.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> SqeFlags {
        SqeFlags::from_bits(self.0.flags)
    }

    /// The operation.
    #[inline]
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        Opcode(self.0.opcode)
    }

    /// How many bytes the buffer has that a plain read, write, receive or send lends; 0 where the
    /// kernel selects a buffer, and for every other operation.
    #[must_use]
    pub fn lent_bytes(&self) -> u32 {
        let plain = [
            Opcode::READ,
            Opcode::WRITE,
            Opcode::RECV,
            Opcode::SEND,
            Opcode::SEND_ZC,
        ];
        let selects = self.flags().contains(SqeFlags::BUFFER_SELECT);
        if plain.contains(&self.opcode()) && !selects {
            self.0.len
        } else {
            0
        }
    }

    #[inline]
    pub(crate) fn set_opcode(&mut self, opcode: Opcode) {
        self.0.opcode = opcode.0;
    }

    /// The descriptor.
    #[inline]
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.0.fd
    }

    /// Runs the operation with credentials that were registered under `id`.
    #[inline]
    pub fn set_personality(&mut self, id: u16) -> &mut Sqe {
        self.0.personality = id;
        self
    }

    /// The entry as it stands in memory.
    #[must_use]
    pub fn as_raw(&self) -> &io_uring_sqe {
        &self.0
    }

    /// The entry as it stands in memory, to be changed at will.
    ///
    /// # Safety
    /// Whatever the entry then asks for is sound when it runs: memory it names is lent as the
    /// module text says.
    pub unsafe fn as_raw_mut(&mut self) -> &mut io_uring_sqe {
        &mut self.0
    }

    /// `IORING_OP_NOP`: completes with 0.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub fn prep_nop(&mut self) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::NOP,
            fd: -1,
            addr: 0,
            len: 0,
            off: 0,
        })
    }

    /// A `NOP` that does what `flags` (`IORING_NOP_*`) say: takes the descriptor `fd`, or the slot
    /// `fd` of the file table (EBADF if it cannot), looks the registered buffer `buf_index` up
    /// (EFAULT if there is none), completes with `res`, which may be an errno with its sign
    /// turned. What no flag speaks of is ignored.
    ///
    /// # Kernel
    /// Since 6.10, EINVAL before; descriptors and buffers since 6.13.
    #[inline]
    pub fn prep_nop_with(&mut self, flags: u32, res: i32, fd: i32, buf_index: u16) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::NOP,
            fd,
            addr: 0,
            len: res as u32,
            off: 0,
        })
        .with_op_flags(flags);
        self.0.buf_index = buf_index;
        self
    }

    #[inline]
    fn prep(&mut self, common: Common) -> &mut Sqe {
        self.0 = io_uring_sqe {
            opcode: common.opcode.0,
            fd: common.fd,
            off: common.off,
            addr: common.addr,
            len: common.len,
            user_data: self.0.user_data,
            ..Sqe::new().0
        };
        self
    }

    #[inline]
    fn with_op_flags(&mut self, op_flags: u32) -> &mut Sqe {
        self.0.op_flags = op_flags;
        self
    }

    #[inline]
    fn with_ioprio(&mut self, ioprio: u16) -> &mut Sqe {
        self.0.ioprio = ioprio;
        self
    }

    #[inline]
    fn with_group(&mut self, group: u16) -> &mut Sqe {
        self.0.buf_index = group;
        self.set_flags(SqeFlags::BUFFER_SELECT)
    }
}

impl fmt::Debug for Sqe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqe")
            .field("opcode", &self.opcode())
            .field("flags", &self.flags())
            .field("fd", &self.0.fd)
            .field("user_data", &self.0.user_data)
            .finish_non_exhaustive()
    }
}

/// The address of lent memory, as the kernel takes it.
#[inline]
fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}
