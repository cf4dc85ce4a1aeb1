//! Reads and writes.

use core::ffi::c_void;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `pread`(2) of up to `len` bytes at `offset` into `buf`; with
    /// [`CURRENT_POSITION`](crate::CURRENT_POSITION) `read`(2). The result is the number of
    /// bytes, 0 at the end.
    ///
    /// A pipe ignores the offset; a socket takes 0 or the current position, else ESPIPE.
    ///
    /// # Safety
    /// `buf` is valid for writes of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_read(&mut self, fd: i32, buf: *mut u8, len: u32, offset: u64) -> &mut Sqe {
        self.prep(rw(Opcode::READ, fd, address(buf), len, offset))
    }

    /// `pwrite`(2) of `len` bytes from `buf` at `offset`; with
    /// [`CURRENT_POSITION`](crate::CURRENT_POSITION) `write`(2). The result is the number of
    /// bytes.
    ///
    /// # Safety
    /// `buf` is valid for reads of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_write(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        offset: u64,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::WRITE, fd, address(buf), len, offset))
    }

    /// `preadv2`(2) into `count` buffers at `iov` (`struct iovec`), with `RWF_*` flags.
    ///
    /// # Safety
    /// `iov` is valid for reads of `count` entries, lent until consumed; each entry is valid for
    /// writes of its length, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub unsafe fn prep_readv(
        &mut self,
        fd: i32,
        iov: *const c_void,
        count: u32,
        offset: u64,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::READV, fd, address(iov), count, offset))
            .with_op_flags(flags)
    }

    /// `pwritev2`(2) of `count` buffers at `iov` (`struct iovec`), with `RWF_*` flags.
    ///
    /// # Safety
    /// `iov` is valid for reads of `count` entries, lent until consumed; each entry is valid for
    /// reads of its length, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub unsafe fn prep_writev(
        &mut self,
        fd: i32,
        iov: *const c_void,
        count: u32,
        offset: u64,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::WRITEV, fd, address(iov), count, offset))
            .with_op_flags(flags)
    }

    /// As [`prep_read`](Sqe::prep_read), into memory inside the registered buffer `buf_index`.
    ///
    /// # Safety
    /// `buf` is valid for writes of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub unsafe fn prep_read_fixed(
        &mut self,
        fd: i32,
        buf: *mut u8,
        len: u32,
        offset: u64,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::READ_FIXED, fd, address(buf), len, offset));
        self.0.buf_index = buf_index;
        self
    }

    /// As [`prep_write`](Sqe::prep_write), from memory inside the registered buffer `buf_index`.
    ///
    /// # Safety
    /// `buf` is valid for reads of `len` bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub unsafe fn prep_write_fixed(
        &mut self,
        fd: i32,
        buf: *const u8,
        len: u32,
        offset: u64,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::WRITE_FIXED, fd, address(buf), len, offset));
        self.0.buf_index = buf_index;
        self
    }

    /// As [`prep_readv`](Sqe::prep_readv), into memory inside the registered buffer `buf_index`.
    ///
    /// # Safety
    /// As [`prep_readv`](Sqe::prep_readv).
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub unsafe fn prep_readv_fixed(
        &mut self,
        fd: i32,
        iov: *const c_void,
        count: u32,
        offset: u64,
        flags: u32,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::READV_FIXED, fd, address(iov), count, offset))
            .with_op_flags(flags);
        self.0.buf_index = buf_index;
        self
    }

    /// As [`prep_writev`](Sqe::prep_writev), from memory inside the registered buffer
    /// `buf_index`.
    ///
    /// # Safety
    /// As [`prep_writev`](Sqe::prep_writev).
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub unsafe fn prep_writev_fixed(
        &mut self,
        fd: i32,
        iov: *const c_void,
        count: u32,
        offset: u64,
        flags: u32,
        buf_index: u16,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::WRITEV_FIXED, fd, address(iov), count, offset))
            .with_op_flags(flags);
        self.0.buf_index = buf_index;
        self
    }

    /// For a prepared read or write: `RWF_*` flags, as `preadv2`(2) takes them. Those that the
    /// file or the kernel does not know are EOPNOTSUPP or EINVAL.
    #[inline]
    pub fn set_rw_flags(&mut self, flags: u32) -> &mut Sqe {
        self.with_op_flags(flags)
    }

    /// For a prepared read or write: the I/O priority, as `ioprio_set`(2) takes it. Without one
    /// it is that of the thread.
    #[inline]
    pub fn set_io_priority(&mut self, priority: u16) -> &mut Sqe {
        self.with_ioprio(priority)
    }

    /// For a prepared read or write: what goes with the data, of the kind that `mask` says.
    /// `IORING_RW_ATTR_FLAG_PI` is an
    /// [`io_uring_attr_pi`](annulus_syscalls::io_uring::io_uring_attr_pi): the protection
    /// information of a device that keeps some. EINVAL for other kinds, and for a file that has
    /// no such thing.
    ///
    /// # Safety
    /// `attributes` is valid for reads, lent until consumed, and the memory that it names as the
    /// data is, until the last CQE.
    ///
    /// # Kernel
    /// Since 6.14, with the feature `IORING_FEAT_RW_ATTR`; a kernel without ignores it.
    #[inline]
    pub unsafe fn set_rw_attributes(&mut self, mask: u64, attributes: *const c_void) -> &mut Sqe {
        self.0.addr3 = address(attributes);
        self.0.attr_type_mask = mask;
        self
    }

    /// `pread`(2) of up to `len` bytes into a buffer of `group`; the CQE names the buffer.
    ///
    /// # Safety
    /// The buffers of `group` are lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.7.
    #[inline]
    pub unsafe fn prep_read_select(
        &mut self,
        fd: i32,
        len: u32,
        offset: u64,
        group: u16,
    ) -> &mut Sqe {
        self.prep(rw(Opcode::READ, fd, 0, len, offset))
            .with_group(group)
    }

    /// Reads a file that can be polled again and again, each time into a buffer of `group`.
    ///
    /// # Safety
    /// The buffers of `group` are lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_read_multishot(&mut self, fd: i32, group: u16) -> &mut Sqe {
        let offset = crate::CURRENT_POSITION;
        self.prep(rw(Opcode::READ_MULTISHOT, fd, 0, 0, offset))
            .with_group(group)
    }
}

#[inline]
fn rw(opcode: Opcode, fd: i32, addr: u64, len: u32, off: u64) -> Common {
    Common {
        opcode,
        fd,
        addr,
        len,
        off,
    }
}
