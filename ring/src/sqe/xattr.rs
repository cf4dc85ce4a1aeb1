//! Extended attributes.

use core::ffi::{c_char, c_void};

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `getxattr`(2) of `name` of the file at `path` into `len` bytes at `value`. The result is
    /// the value's size.
    ///
    /// # Safety
    /// `path` and `name` end in a NUL, lent until consumed; `value` is valid for writes of `len`
    /// bytes, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_getxattr(
        &mut self,
        name: *const c_char,
        value: *mut c_void,
        path: *const c_char,
        len: u32,
    ) -> &mut Sqe {
        self.prep(xattr(Opcode::GETXATTR, 0, name, value, len));
        self.0.addr3 = address(path);
        self
    }

    /// `fgetxattr`(2): as [`prep_getxattr`](Sqe::prep_getxattr), of an open file.
    ///
    /// # Safety
    /// As [`prep_getxattr`](Sqe::prep_getxattr).
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_fgetxattr(
        &mut self,
        fd: i32,
        name: *const c_char,
        value: *mut c_void,
        len: u32,
    ) -> &mut Sqe {
        self.prep(xattr(Opcode::FGETXATTR, fd, name, value, len))
    }

    /// `setxattr`(2): gives `name` of the file at `path` the `len` bytes at `value`; `flags` are
    /// `XATTR_*`. The result is 0.
    ///
    /// # Safety
    /// `path` and `name` end in a NUL and `value` is valid for reads of `len` bytes, lent until
    /// consumed.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_setxattr(
        &mut self,
        name: *const c_char,
        value: *const c_void,
        path: *const c_char,
        flags: i32,
        len: u32,
    ) -> &mut Sqe {
        self.prep(xattr(Opcode::SETXATTR, 0, name, value, len))
            .with_op_flags(flags as u32);
        self.0.addr3 = address(path);
        self
    }

    /// `fsetxattr`(2): as [`prep_setxattr`](Sqe::prep_setxattr), of an open file.
    ///
    /// # Safety
    /// As [`prep_setxattr`](Sqe::prep_setxattr).
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_fsetxattr(
        &mut self,
        fd: i32,
        name: *const c_char,
        value: *const c_void,
        flags: i32,
        len: u32,
    ) -> &mut Sqe {
        self.prep(xattr(Opcode::FSETXATTR, fd, name, value, len))
            .with_op_flags(flags as u32)
    }
}

#[inline]
fn xattr(opcode: Opcode, fd: i32, name: *const c_char, value: *const c_void, len: u32) -> Common {
    Common {
        opcode,
        fd,
        addr: address(name),
        len,
        off: address(value),
    }
}
