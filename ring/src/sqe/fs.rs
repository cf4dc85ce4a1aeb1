//! Names: renaming, unlinking, making directories and links.

use core::ffi::c_char;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `renameat2`(2) with `RENAME_*` flags. The result is 0.
    ///
    /// # Safety
    /// Both paths end in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.11.
    #[inline]
    pub unsafe fn prep_renameat(
        &mut self,
        old_dirfd: i32,
        old_path: *const c_char,
        new_dirfd: i32,
        new_path: *const c_char,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::RENAMEAT,
            fd: old_dirfd,
            addr: address(old_path),
            len: new_dirfd as u32,
            off: address(new_path),
        })
        .with_op_flags(flags)
    }

    /// `unlinkat`(2): `AT_REMOVEDIR` in `flags` removes a directory. The result is 0.
    ///
    /// # Safety
    /// `path` ends in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.11.
    #[inline]
    pub unsafe fn prep_unlinkat(
        &mut self,
        dirfd: i32,
        path: *const c_char,
        flags: i32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::UNLINKAT,
            fd: dirfd,
            addr: address(path),
            len: 0,
            off: 0,
        })
        .with_op_flags(flags as u32)
    }

    /// `mkdirat`(2). The result is 0.
    ///
    /// # Safety
    /// `path` ends in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub unsafe fn prep_mkdirat(&mut self, dirfd: i32, path: *const c_char, mode: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::MKDIRAT,
            fd: dirfd,
            addr: address(path),
            len: mode,
            off: 0,
        })
    }

    /// `linkat`(2) with `AT_*` flags. The result is 0.
    ///
    /// # Safety
    /// Both paths end in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub unsafe fn prep_linkat(
        &mut self,
        old_dirfd: i32,
        old_path: *const c_char,
        new_dirfd: i32,
        new_path: *const c_char,
        flags: i32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::LINKAT,
            fd: old_dirfd,
            addr: address(old_path),
            len: new_dirfd as u32,
            off: address(new_path),
        })
        .with_op_flags(flags as u32)
    }

    /// `symlinkat`(2): makes `link_path`, relative to `dirfd`, point to `target`. The result is 0.
    ///
    /// # Safety
    /// Both paths end in a NUL, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub unsafe fn prep_symlinkat(
        &mut self,
        target: *const c_char,
        dirfd: i32,
        link_path: *const c_char,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::SYMLINKAT,
            fd: dirfd,
            addr: address(target),
            len: 0,
            off: address(link_path),
        })
    }
}
