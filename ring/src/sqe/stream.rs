//! Sending and receiving.
//!
//! A `len` is in bytes. The kernel moves at most 0x7fff_f000 of them in one call, and refuses 2^31
//! and more with EINVAL.

use core::ffi::c_void;

use annulus_syscalls::io_uring::flags::net;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `recv`(2) of up to `len` bytes into `buf` with `MSG_*` flags. The result is the number of
    /// bytes, 0 when the peer has closed.
    ///
    /// # Safety
    /// `buf` is valid for writes of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_recv(&mut self, fd: i32, buf: *mut u8, len: u32, flags: i32) -> &mut Sqe {
        self.prep(transfer(Opcode::RECV, fd, address(buf), len))
            .with_op_flags(flags as u32)
    }

    /// `recv`(2) of up to `len` bytes (0: as many as the buffer has) into a buffer of `group`; the
    /// CQE names the buffer. ENOBUFS if the group is empty.
    ///
    /// # Safety
    /// The buffers of `group` are lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.7.
    #[inline]
    pub unsafe fn prep_recv_select(
        &mut self,
        fd: i32,
        len: u32,
        flags: i32,
        group: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::RECV, fd, 0, len))
            .with_op_flags(flags as u32)
            .with_group(group)
    }

    /// `recv`(2) again and again, each time into a buffer of `group`. It ends with ENOBUFS when
    /// the group is empty, with 0 when the peer has closed, and on errors.
    ///
    /// # Safety
    /// The buffers of `group` are lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_recv_multishot(&mut self, fd: i32, flags: i32, group: u16) -> &mut Sqe {
        self.prep(transfer(Opcode::RECV, fd, 0, 0))
            .with_op_flags(flags as u32)
            .with_ioprio(net::IORING_RECV_MULTISHOT)
            .with_group(group)
    }

    /// `send`(2) of `len` bytes from `buf` with `MSG_*` flags. The result is the number of bytes.
    ///
    /// # Safety
    /// `buf` is valid for reads of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_send(&mut self, fd: i32, buf: *const u8, len: u32, flags: i32) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND, fd, address(buf), len))
            .with_op_flags(flags as u32)
    }

    /// `send`(2) of up to `len` bytes (0: all) of a buffer of `group`, or with
    /// [`set_bundle`](Sqe::set_bundle) of as many as there are. The result is the number of bytes;
    /// the CQE names the first buffer. ENOBUFS if the group is empty. A
    /// [`SendGroup`](crate::SendGroup) keeps the account.
    ///
    /// # Safety
    /// The buffers of `group` are valid for reads, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub unsafe fn prep_send_select(
        &mut self,
        fd: i32,
        len: u32,
        flags: i32,
        group: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND, fd, 0, len))
            .with_op_flags(flags as u32)
            .with_group(group)
    }

    /// `sendto`(2): as [`prep_send`](Sqe::prep_send), to the `struct sockaddr` at `to`.
    ///
    /// # Safety
    /// As [`prep_send`](Sqe::prep_send); `to` is valid for reads of `to_len` bytes, lent until
    /// the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_sendto(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        flags: i32,
        to: *const c_void,
        to_len: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND, fd, address(buf), len))
            .with_op_flags(flags as u32);
        self.with_destination(to, to_len)
    }

    /// `send`(2) without copying: a CQE with the result and [`more`](crate::Cqe::more), then the
    /// notification. A failure has a notification too if it says `more`: 6.18 sends one even for a
    /// descriptor that is none. `zc_flags` are
    /// [`IORING_SEND_ZC_REPORT_USAGE`](net::IORING_SEND_ZC_REPORT_USAGE) and the other flags in
    /// `ioprio`.
    ///
    /// # Safety
    /// `buf` is valid for reads of `len` bytes, lent until the notification.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_send_zc(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        flags: i32,
        zc_flags: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND_ZC, fd, address(buf), len))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags)
    }

    /// As [`prep_send_zc`](Sqe::prep_send_zc), from memory inside the registered buffer
    /// `buf_index`.
    ///
    /// # Safety
    /// As [`prep_send_zc`](Sqe::prep_send_zc).
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_send_zc_fixed(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        flags: i32,
        zc_flags: u16,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND_ZC, fd, address(buf), len))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags | net::IORING_RECVSEND_FIXED_BUF);
        self.0.buf_index = buf_index;
        self
    }

    /// As [`prep_send_zc`](Sqe::prep_send_zc), to the `struct sockaddr` at `to`.
    ///
    /// # Safety
    /// As [`prep_send_zc`](Sqe::prep_send_zc); `to` is valid for reads of `to_len` bytes, lent
    /// until the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn prep_sendto_zc(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        flags: i32,
        zc_flags: u16,
        to: *const c_void,
        to_len: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND_ZC, fd, address(buf), len))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags);
        self.with_destination(to, to_len)
    }

    /// As [`prep_send_zc`](Sqe::prep_send_zc), of `count` buffers at `iov` (`struct iovec`).
    ///
    /// # Safety
    /// `iov` is valid for reads of `count` entries, lent until consumed; each entry is valid for
    /// reads of its length, lent until the notification.
    ///
    /// # Kernel
    /// Since 6.17.
    #[inline]
    pub unsafe fn prep_send_zc_vectored(
        &mut self,
        fd: i32,
        iov: *const c_void,
        count: u32,
        flags: i32,
        zc_flags: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SEND_ZC, fd, address(iov), count))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags | net::IORING_SEND_VECTORIZED)
    }

    /// `recvmsg`(2) with the `struct msghdr` at `message`.
    ///
    /// # Safety
    /// `message` is valid for reads and writes; it, its name, control data and buffers are lent
    /// until the last CQE.
    ///
    /// # Kernel
    /// Since 5.3.
    #[inline]
    pub unsafe fn prep_recvmsg(&mut self, fd: i32, message: *mut c_void, flags: i32) -> &mut Sqe {
        self.prep(transfer(Opcode::RECVMSG, fd, address(message), 1))
            .with_op_flags(flags as u32)
    }

    /// `recvmsg`(2) again and again, into buffers of `group`, each starting with an
    /// [`io_uring_recvmsg_out`](annulus_syscalls::io_uring::io_uring_recvmsg_out);
    /// [`ReceivedMsg`](crate::ReceivedMsg) takes it apart. `message`
    /// only says how much room name and control data have. A message without payload is delivered
    /// and ends it.
    ///
    /// # Safety
    /// `message` is valid for reads; it and the buffers of `group` are lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_recvmsg_multishot(
        &mut self,
        fd: i32,
        message: *mut c_void,
        flags: i32,
        group: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::RECVMSG, fd, address(message), 1))
            .with_op_flags(flags as u32)
            .with_ioprio(net::IORING_RECV_MULTISHOT)
            .with_group(group)
    }

    /// `sendmsg`(2) with the `struct msghdr` at `message`.
    ///
    /// # Safety
    /// `message` is valid for reads; it, its name, control data and buffers are lent until the
    /// last CQE.
    ///
    /// # Kernel
    /// Since 5.3.
    #[inline]
    pub unsafe fn prep_sendmsg(&mut self, fd: i32, message: *const c_void, flags: i32) -> &mut Sqe {
        self.prep(transfer(Opcode::SENDMSG, fd, address(message), 1))
            .with_op_flags(flags as u32)
    }

    /// `sendmsg`(2) without copying; CQEs as in [`prep_send_zc`](Sqe::prep_send_zc).
    ///
    /// # Safety
    /// `message` is valid for reads; it, its name, control data and buffers are lent until the
    /// notification.
    ///
    /// # Kernel
    /// Since 6.1.
    #[inline]
    pub unsafe fn prep_sendmsg_zc(
        &mut self,
        fd: i32,
        message: *const c_void,
        flags: i32,
        zc_flags: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SENDMSG_ZC, fd, address(message), 1))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags)
    }

    /// As [`prep_sendmsg_zc`](Sqe::prep_sendmsg_zc), from memory inside the registered buffer
    /// `buf_index`.
    ///
    /// # Safety
    /// As [`prep_sendmsg_zc`](Sqe::prep_sendmsg_zc).
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub unsafe fn prep_sendmsg_zc_fixed(
        &mut self,
        fd: i32,
        message: *const c_void,
        flags: i32,
        zc_flags: u16,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(transfer(Opcode::SENDMSG_ZC, fd, address(message), 1))
            .with_op_flags(flags as u32)
            .with_ioprio(zc_flags | net::IORING_RECVSEND_FIXED_BUF);
        self.0.buf_index = buf_index;
        self
    }

    /// Sets the destination of a prepared [`prep_send`](Sqe::prep_send) or
    /// [`prep_send_zc`](Sqe::prep_send_zc).
    fn with_destination(&mut self, to: *const c_void, to_len: u16) -> &mut Sqe {
        self.0.off = address(to);
        self.0.file_index = address_len(to_len);
        self
    }

    /// For a prepared send or receive: waits for readiness before trying, where the caller knows
    /// that a first attempt would find nothing.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn set_poll_first(&mut self) -> &mut Sqe {
        self.0.ioprio |= net::IORING_RECVSEND_POLL_FIRST;
        self
    }

    /// For a prepared send or receive that selects buffers: uses several at once.
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub fn set_bundle(&mut self) -> &mut Sqe {
        self.0.ioprio |= net::IORING_RECVSEND_BUNDLE;
        self
    }
}

#[inline]
fn transfer(opcode: Opcode, fd: i32, addr: u64, len: u32) -> Common {
    Common {
        opcode,
        fd,
        addr,
        len,
        off: 0,
    }
}

/// The 16-bit `addr_len` at the start of the 32-bit place.
#[inline]
fn address_len(len: u16) -> u32 {
    let [low, high] = len.to_ne_bytes();
    u32::from_ne_bytes([low, high, 0, 0])
}
