//! The calls whose words depend on the width of the machine: raw results, one form each.
//!
//! A 64-bit machine passes an offset in one word. A 32-bit one has calls of its own: `mmap2`
//! counts in units of 4,096 bytes, `_llseek` writes its result to memory, `pread64` takes two
//! words in the order of memory, in an even pair of argument registers where C calls do so, as
//! they do on arm, powerpc and hexagon, and do not on x86 and riscv32.
//! s390x passes the six arguments of `mmap` in memory.

#[cfg(target_pointer_width = "64")]
pub(super) use word64::{fcntl, lseek, mmap, pread64};

#[cfg(target_pointer_width = "32")]
pub(super) use word32::{fcntl, lseek, mmap, pread64};

#[cfg(target_pointer_width = "64")]
mod word64 {
    use crate::{Errno, nr, syscall3, syscall4};

    /// # Safety
    /// As [`calls::mmap`](crate::calls::mmap).
    #[cfg(not(target_arch = "s390x"))]
    #[inline]
    pub(in crate::calls) unsafe fn mmap(
        len: usize,
        prot: u32,
        flags: u32,
        fd: i32,
        offset: u64,
    ) -> usize {
        // SAFETY: promised by the caller.
        unsafe {
            crate::syscall6(
                nr::MMAP,
                0,
                len,
                prot as usize,
                flags as usize,
                fd as usize,
                offset as usize,
            )
        }
    }

    /// # Safety
    /// As [`calls::mmap`](crate::calls::mmap).
    #[cfg(target_arch = "s390x")]
    pub(in crate::calls) unsafe fn mmap(
        len: usize,
        prot: u32,
        flags: u32,
        fd: i32,
        offset: u64,
    ) -> usize {
        let words = [
            0,
            len,
            prot as usize,
            flags as usize,
            fd as usize,
            offset as usize,
        ];
        // SAFETY: the kernel reads the six words, which live as long as the call; the caller
        // promised the rest.
        unsafe { crate::syscall1(nr::MMAP, words.as_ptr().expose_provenance()) }
    }

    /// # Safety
    /// As [`calls::pread64`](crate::calls::pread64).
    #[inline]
    pub(in crate::calls) unsafe fn pread64(
        fd: i32,
        address: usize,
        len: usize,
        offset: u64,
    ) -> usize {
        // SAFETY: promised by the caller.
        unsafe { syscall4(nr::PREAD64, fd as usize, address, len, offset as usize) }
    }

    #[inline]
    pub(in crate::calls) fn lseek(fd: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
        // SAFETY: the call touches no memory of this process.
        let ret = unsafe { syscall3(nr::LSEEK, fd as usize, offset as usize, whence as usize) };
        Errno::check(ret).map(|position| position as u64)
    }

    /// # Safety
    /// As [`calls::fcntl`](crate::calls::fcntl).
    #[inline]
    pub(in crate::calls) unsafe fn fcntl(fd: i32, command: u32, arg: usize) -> usize {
        // SAFETY: promised by the caller.
        unsafe { syscall3(nr::FCNTL, fd as usize, command as usize, arg) }
    }
}

#[cfg(target_pointer_width = "32")]
mod word32 {
    use crate::{Errno, nr, syscall3, syscall5, syscall6};

    /// What `mmap2` counts in, whatever the size of a page is.
    const UNIT_BYTES: u64 = 4096;

    /// The upper and the lower half.
    const fn halves(word: u64) -> (usize, usize) {
        ((word >> 32) as usize, word as u32 as usize)
    }

    /// # Safety
    /// As [`calls::mmap`](crate::calls::mmap).
    pub(in crate::calls) unsafe fn mmap(
        len: usize,
        prot: u32,
        flags: u32,
        fd: i32,
        offset: u64,
    ) -> usize {
        let units = match u32::try_from(offset / UNIT_BYTES) {
            Ok(units) if offset % UNIT_BYTES == 0 => units as usize,
            // The result word of EINVAL.
            _ => return (Errno::EINVAL.raw() as usize).wrapping_neg(),
        };
        // SAFETY: promised by the caller.
        unsafe {
            syscall6(
                nr::MMAP2,
                0,
                len,
                prot as usize,
                flags as usize,
                fd as usize,
                units,
            )
        }
    }

    /// # Safety
    /// As [`calls::pread64`](crate::calls::pread64).
    pub(in crate::calls) unsafe fn pread64(
        fd: i32,
        address: usize,
        len: usize,
        offset: u64,
    ) -> usize {
        let (high, low) = halves(offset);
        let (first, second) = if cfg!(target_endian = "big") {
            (high, low)
        } else {
            (low, high)
        };
        if cfg!(any(target_arch = "x86", target_arch = "riscv32")) {
            // SAFETY: promised by the caller.
            unsafe { syscall5(nr::PREAD64, fd as usize, address, len, first, second) }
        } else {
            // SAFETY: promised by the caller; the fourth word only fills the pair.
            unsafe { syscall6(nr::PREAD64, fd as usize, address, len, 0, first, second) }
        }
    }

    pub(in crate::calls) fn lseek(fd: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
        let (high, low) = halves(offset as u64);
        let mut position = 0_u64;
        let address = (&raw mut position).expose_provenance();
        // SAFETY: the kernel writes the position to the address, which is alive.
        let ret = unsafe { syscall5(nr::LLSEEK, fd as usize, high, low, address, whence as usize) };
        Errno::check(ret).map(|_zero| position)
    }

    /// # Safety
    /// As [`calls::fcntl`](crate::calls::fcntl).
    pub(in crate::calls) unsafe fn fcntl(fd: i32, command: u32, arg: usize) -> usize {
        // SAFETY: promised by the caller.
        unsafe { syscall3(nr::FCNTL64, fd as usize, command as usize, arg) }
    }
}
