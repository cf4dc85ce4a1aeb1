//! Moving data between descriptors without seeing it.

use super::{Common, Sqe};
use crate::opcode::Opcode;

impl Sqe {
    /// `splice`(2) of up to `len` bytes from `fd_in` to `fd_out` with `SPLICE_F_*` flags. The
    /// offset of a pipe is `u64::MAX`. The result is the number of bytes.
    ///
    /// # Kernel
    /// Since 5.7.
    #[inline]
    pub fn prep_splice(
        &mut self,
        fd_in: i32,
        offset_in: u64,
        fd_out: i32,
        offset_out: u64,
        len: u32,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::SPLICE,
            fd: fd_out,
            addr: offset_in,
            len,
            off: offset_out,
        })
        .with_op_flags(flags);
        self.0.file_index = fd_in as u32;
        self
    }

    /// `tee`(2): duplicates up to `len` bytes from the pipe `fd_in` to the pipe `fd_out`. The
    /// result is the number of bytes.
    ///
    /// # Kernel
    /// Since 5.8.
    #[inline]
    pub fn prep_tee(&mut self, fd_in: i32, fd_out: i32, len: u32, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::TEE,
            fd: fd_out,
            addr: 0,
            len,
            off: 0,
        })
        .with_op_flags(flags);
        self.0.file_index = fd_in as u32;
        self
    }
}
