//! Making sockets, connecting, accepting, closing.

use core::ffi::c_void;

use annulus_syscalls::io_uring::flags::{file, net};

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `accept4`(2) with `SOCK_*` flags. The result is the new descriptor. The peer's address goes
    /// to `addr`, its size in and out through `addr_len`; both may be null.
    ///
    /// # Safety
    /// `addr_len` is null, or valid for reads and writes and `addr` valid for writes of `*addr_len`
    /// bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.5.
    #[inline]
    pub unsafe fn prep_accept(
        &mut self,
        fd: i32,
        addr: *mut c_void,
        addr_len: *mut u32,
        flags: i32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::ACCEPT,
            fd,
            addr: address(addr),
            len: 0,
            off: address(addr_len),
        })
        .with_op_flags(flags as u32)
    }

    /// `accept4`(2) again and again, without the peers' addresses: each result is a descriptor.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn prep_multishot_accept(&mut self, fd: i32, flags: i32) -> &mut Sqe {
        self.prep(on_socket(Opcode::ACCEPT, fd, 0))
            .with_op_flags(flags as u32)
            .with_ioprio(net::IORING_ACCEPT_MULTISHOT)
    }

    /// For a prepared accept: fails with EAGAIN instead of waiting when nobody is there.
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub fn set_accept_dontwait(&mut self) -> &mut Sqe {
        self.0.ioprio |= net::IORING_ACCEPT_DONTWAIT;
        self
    }

    /// For a prepared accept: waits for readiness before trying, where the caller knows that a
    /// first attempt would find nobody.
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub fn set_accept_poll_first(&mut self) -> &mut Sqe {
        self.0.ioprio |= net::IORING_ACCEPT_POLL_FIRST;
        self
    }

    /// `connect`(2) to the `struct sockaddr` of `addr_len` bytes at `addr`. The result is 0.
    ///
    /// # Safety
    /// `addr` is valid for reads of `addr_len` bytes, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.5.
    #[inline]
    pub unsafe fn prep_connect(&mut self, fd: i32, addr: *const c_void, addr_len: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::CONNECT,
            fd,
            addr: address(addr),
            len: 0,
            off: u64::from(addr_len),
        })
    }

    /// `socket`(2). The result is the descriptor.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn prep_socket(&mut self, domain: i32, kind: i32, protocol: i32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::SOCKET,
            fd: domain,
            addr: 0,
            len: protocol as u32,
            off: u64::from(kind as u32),
        })
    }

    /// `bind`(2) to the `struct sockaddr` of `addr_len` bytes at `addr`. The result is 0.
    ///
    /// # Safety
    /// `addr` is valid for reads of `addr_len` bytes, lent until consumed.
    ///
    /// # Kernel
    /// Since 6.11.
    #[inline]
    pub unsafe fn prep_bind(&mut self, fd: i32, addr: *const c_void, addr_len: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::BIND,
            fd,
            addr: address(addr),
            len: 0,
            off: u64::from(addr_len),
        })
    }

    /// `listen`(2). The result is 0.
    ///
    /// # Kernel
    /// Since 6.11.
    #[inline]
    pub fn prep_listen(&mut self, fd: i32, backlog: i32) -> &mut Sqe {
        self.prep(on_socket(Opcode::LISTEN, fd, backlog as u32))
    }

    /// `shutdown`(2): `how` is `SHUT_*`. The result is 0.
    ///
    /// # Kernel
    /// Since 5.11.
    #[inline]
    pub fn prep_shutdown(&mut self, fd: i32, how: i32) -> &mut Sqe {
        self.prep(on_socket(Opcode::SHUTDOWN, fd, how as u32))
    }

    /// `close`(2). The result is 0; the number is free afterwards, whatever the result.
    ///
    /// The descriptor must be the caller's to close when the entry is consumed.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub fn prep_close(&mut self, fd: i32) -> &mut Sqe {
        self.prep(on_socket(Opcode::CLOSE, fd, 0))
    }

    /// Empties `slot` of the registered file table. The result is 0.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub fn prep_close_direct(&mut self, slot: u32) -> &mut Sqe {
        self.prep(on_socket(Opcode::CLOSE, 0, 0));
        self.set_direct_slot(slot)
    }

    /// For a prepared accept, open, socket or pipe: the result goes to `slot` of the registered
    /// file table instead of becoming a descriptor. EINVAL if the table has no such slot.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub fn set_direct_slot(&mut self, slot: u32) -> &mut Sqe {
        self.0.file_index = slot.min(SLOT_MAX) + 1;
        self
    }

    /// As [`set_direct_slot`](Sqe::set_direct_slot), the kernel choosing the slot: its number is
    /// the result.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn set_direct_alloc(&mut self) -> &mut Sqe {
        self.0.file_index = file::IORING_FILE_INDEX_ALLOC;
        self
    }
}

/// The last number that stands for a slot: the two above it would read as "no slot" and as "the
/// kernel chooses". No table is as large, so that cutting to it makes the kernel refuse.
const SLOT_MAX: u32 = file::IORING_FILE_INDEX_ALLOC - 2;

#[inline]
fn on_socket(opcode: Opcode, fd: i32, len: u32) -> Common {
    Common {
        opcode,
        fd,
        addr: 0,
        len,
        off: 0,
    }
}
