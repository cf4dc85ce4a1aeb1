//! Opening files, and what is done to an open one.

use core::ffi::{c_char, c_void};

use annulus_syscalls::io_uring::flags::file::IORING_FILE_INDEX_ALLOC;
use annulus_syscalls::io_uring::open_how;

use super::{Common, Sqe, SqeFlags, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `openat`(2) with `O_*` flags and, for a new file, `mode`. The result is the descriptor.
    ///
    /// A path that is not cached is followed by a worker thread: `/proc/thread-self` is that
    /// worker's then, while `/proc/self` is the process's own.
    ///
    /// # Safety
    /// `path` ends in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_openat(
        &mut self,
        dirfd: i32,
        path: *const c_char,
        flags: i32,
        mode: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::OPENAT,
            fd: dirfd,
            addr: address(path),
            len: mode,
            off: 0,
        })
        .with_op_flags(flags as u32)
    }

    /// `openat2`(2). The result is the descriptor.
    ///
    /// # Safety
    /// `path` ends in a NUL and `how` is valid for reads, both lent until consumed.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_openat2(
        &mut self,
        dirfd: i32,
        path: *const c_char,
        how: *const open_how,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::OPENAT2,
            fd: dirfd,
            addr: address(path),
            len: size_of::<open_how>() as u32,
            off: address(how),
        })
    }

    /// `statx`(2) into the `struct statx` at `out`, with `AT_*` flags and `STATX_*` mask. The
    /// result is 0.
    ///
    /// # Safety
    /// `path` ends in a NUL, lent until consumed; `out` is valid for writes of a `struct statx`
    /// (256 bytes), lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_statx(
        &mut self,
        dirfd: i32,
        path: *const c_char,
        flags: i32,
        mask: u32,
        out: *mut c_void,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::STATX,
            fd: dirfd,
            addr: address(path),
            len: mask,
            off: address(out),
        })
        .with_op_flags(flags as u32)
    }

    /// `fsync`(2), or `fdatasync`(2) with [`FSYNC_DATASYNC`](crate::FSYNC_DATASYNC) in `flags`. The
    /// result is 0.
    /// A failure does not break the chain that the entry is in: look at the result.
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub fn prep_fsync(&mut self, fd: i32, flags: u32) -> &mut Sqe {
        self.prep(on_file(Opcode::FSYNC, fd)).with_op_flags(flags)
    }

    /// As [`prep_fsync`](Sqe::prep_fsync), of the `len` bytes from `offset` (both 0: of all).
    ///
    /// # Kernel
    /// Since 5.1.
    #[inline]
    pub fn prep_fsync_range(&mut self, fd: i32, flags: u32, offset: u64, len: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FSYNC,
            fd,
            addr: 0,
            len,
            off: offset,
        })
        .with_op_flags(flags)
    }

    /// `sync_file_range`(2) of `len` bytes (0: to the end) from `offset`. The result is 0.
    /// A failure does not break the chain that the entry is in: look at the result.
    ///
    /// # Kernel
    /// Since 5.2.
    #[inline]
    pub fn prep_sync_file_range(&mut self, fd: i32, len: u32, offset: u64, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::SYNC_FILE_RANGE,
            fd,
            addr: 0,
            len,
            off: offset,
        })
        .with_op_flags(flags)
    }

    /// `fallocate`(2) with `FALLOC_FL_*` mode, `len` bytes from `offset`. The result is 0.
    /// A failure does not break the chain that the entry is in: look at the result.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub fn prep_fallocate(&mut self, fd: i32, mode: i32, offset: u64, len: u64) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FALLOCATE,
            fd,
            addr: len,
            len: mode as u32,
            off: offset,
        })
    }

    /// `ftruncate`(2) to `len` bytes. The result is 0.
    ///
    /// # Kernel
    /// Since 6.9.
    #[inline]
    pub fn prep_ftruncate(&mut self, fd: i32, len: u64) -> &mut Sqe {
        self.prep(Common {
            off: len,
            ..on_file(Opcode::FTRUNCATE, fd)
        })
    }

    /// `posix_fadvise`(2): `POSIX_FADV_*` advice for `len` bytes from `offset`. The result is 0.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub fn prep_fadvise(&mut self, fd: i32, offset: u64, len: u32, advice: i32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FADVISE,
            fd,
            addr: 0,
            len,
            off: offset,
        })
        .with_op_flags(advice as u32)
    }

    /// As [`prep_fadvise`](Sqe::prep_fadvise), for a range that 32 bits cannot count.
    ///
    /// # Kernel
    /// Since 6.11; before, `len` is taken for 0, which means to the end of the file.
    #[inline]
    pub fn prep_fadvise64(&mut self, fd: i32, offset: u64, len: u64, advice: i32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FADVISE,
            fd,
            addr: len,
            len: 0,
            off: offset,
        })
        .with_op_flags(advice as u32)
    }

    /// `madvise`(2): `MADV_*` advice for `len` bytes from `start`. The result is 0.
    ///
    /// # Safety
    /// The range is the caller's, who answers for what the advice does to its contents.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_madvise(&mut self, start: *mut c_void, len: u32, advice: i32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::MADVISE,
            fd: -1,
            addr: address(start),
            len,
            off: 0,
        })
        .with_op_flags(advice as u32)
    }

    /// As [`prep_madvise`](Sqe::prep_madvise), for a range that 32 bits cannot count.
    ///
    /// # Safety
    /// As [`prep_madvise`](Sqe::prep_madvise).
    ///
    /// # Kernel
    /// Since 6.11; before, EINVAL.
    #[inline]
    pub unsafe fn prep_madvise64(&mut self, start: *mut c_void, len: u64, advice: i32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::MADVISE,
            fd: -1,
            addr: address(start),
            len: 0,
            off: len,
        })
        .with_op_flags(advice as u32)
    }

    /// Changes `count` slots of the registered file table from `offset`, as the descriptors at
    /// `fds` say (-1 empties a slot). The result is how many were changed. With
    /// [`IORING_FILE_INDEX_ALLOC`] as `offset` the kernel chooses
    /// free slots and writes their numbers back to `fds`.
    ///
    /// # Safety
    /// `fds` is valid for reads, and for writes if `offset` lets the kernel choose the slots,
    /// lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_files_update(&mut self, fds: *mut i32, count: u32, offset: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FILES_UPDATE,
            fd: -1,
            addr: address(fds),
            len: count,
            off: u64::from(offset),
        })
    }

    /// Puts the files of the `count` descriptors at `fds` into slots of the registered file table
    /// that the kernel chooses; their numbers take the place of the descriptors. The result is how
    /// many there were slots for, or ENFILE if there was none.
    ///
    /// # Safety
    /// `fds` is valid for reads and writes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub unsafe fn prep_files_update_alloc(&mut self, fds: *mut i32, count: u32) -> &mut Sqe {
        // SAFETY: promised by the caller.
        unsafe { self.prep_files_update(fds, count, IORING_FILE_INDEX_ALLOC) }
    }

    /// Makes a descriptor of `slot` of the registered file table; `flags` are
    /// `IORING_FIXED_FD_*`. The result is the descriptor.
    ///
    /// # Kernel
    /// Since 6.8.
    #[inline]
    pub fn prep_fixed_fd_install(&mut self, slot: u32, flags: u32) -> &mut Sqe {
        self.prep(on_file(Opcode::FIXED_FD_INSTALL, slot as i32))
            .with_op_flags(flags)
            .set_flags(SqeFlags::FIXED_FILE)
    }

    /// `pipe2`(2) with `O_*` flags: both ends go to `ends`. The result is 0.
    ///
    /// # Safety
    /// `ends` is valid for writes of two descriptors, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.16.
    #[inline]
    pub unsafe fn prep_pipe(&mut self, ends: *mut [i32; 2], flags: i32) -> &mut Sqe {
        self.prep(Common {
            addr: address(ends),
            ..on_file(Opcode::PIPE, 0)
        })
        .with_op_flags(flags as u32)
    }
}

#[inline]
fn on_file(opcode: Opcode, fd: i32) -> Common {
    Common {
        opcode,
        fd,
        addr: 0,
        len: 0,
        off: 0,
    }
}
