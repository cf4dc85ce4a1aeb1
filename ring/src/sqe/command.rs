//! Commands that a file gives a meaning of its own: sockets, block devices, drivers.
//!
//! ```text
//!   offset   8        12       16              28       40       44         48 .. 64
//!            command  0        address/level,  flags    buf      value_len  value or data
//!                              name
//! ```

use core::ffi::c_void;

use annulus_syscalls::io_uring::flags::{file, net};

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// A command of whatever `fd` is, with the 16 bytes that stand in the entry itself; `flags`
    /// are `IORING_URING_CMD_*`. What the result means is the command's affair.
    ///
    /// # Safety
    /// Memory that the command is told about is valid for what it does with it, lent until the
    /// last CQE.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_uring_cmd(
        &mut self,
        command: u32,
        fd: i32,
        flags: u32,
        data: [u64; 2],
    ) -> &mut Sqe {
        self.prep(on_file(command, fd)).with_op_flags(flags);
        [self.0.addr3, self.0.attr_type_mask] = data;
        self
    }

    /// For a prepared command: the memory that it is told about lies in the registered buffer
    /// `buf_index` (`IORING_URING_CMD_FIXED`), where the command can use such. NVMe can.
    ///
    /// # Kernel
    /// Since 6.1; EINVAL before.
    #[inline]
    pub fn set_command_buffer(&mut self, buf_index: u16) -> &mut Sqe {
        self.0.op_flags |= file::IORING_URING_CMD_FIXED;
        self.0.buf_index = buf_index;
        self
    }

    /// A command of the socket itself, such as `SOCKET_URING_OP_SETSOCKOPT` with `level`, `name`
    /// and the `value_len` bytes at `value`.
    ///
    /// # Safety
    /// `value` is valid for what the command reads or writes, at most `value_len` bytes, lent
    /// until the last CQE.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_cmd_sock(
        &mut self,
        command: u32,
        fd: i32,
        level: i32,
        name: i32,
        value: *mut c_void,
        value_len: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            addr: pair(level as u32, name as u32),
            ..on_file(command, fd)
        });
        self.0.file_index = value_len;
        self.0.addr3 = address(value);
        self
    }

    /// `getsockname`(2), or `getpeername`(2) if `is_peer`: the address goes to `addr`, its size
    /// in and out through `addr_len`. The result is 0.
    ///
    /// # Safety
    /// `addr_len` is valid for reads and writes and `addr` for writes of `*addr_len` bytes, lent
    /// until the last CQE.
    ///
    /// # Kernel
    /// Since 6.19; EOPNOTSUPP before.
    #[inline]
    pub unsafe fn prep_cmd_getsockname(
        &mut self,
        fd: i32,
        addr: *mut c_void,
        addr_len: *mut u32,
        is_peer: bool,
    ) -> &mut Sqe {
        self.prep(Common {
            addr: address(addr),
            ..on_file(net::SOCKET_URING_OP_GETSOCKNAME, fd)
        });
        self.0.file_index = u32::from(is_peer);
        self.0.addr3 = address(addr_len);
        self
    }

    /// Tells the block device `fd` that the `len` bytes from `offset` are not needed any more;
    /// both are multiples of its sector. The result is 0.
    ///
    /// # Kernel
    /// Since 6.12.
    #[inline]
    pub fn prep_cmd_discard(&mut self, fd: i32, offset: u64, len: u64) -> &mut Sqe {
        self.prep(Common {
            addr: offset,
            ..on_file(file::BLOCK_URING_CMD_DISCARD, fd)
        });
        self.0.addr3 = len;
        self
    }
}

#[inline]
fn on_file(command: u32, fd: i32) -> Common {
    Common {
        opcode: Opcode::URING_CMD,
        fd,
        addr: 0,
        len: 0,
        off: pair(command, 0),
    }
}

/// Two 32-bit places that together lie where a 64-bit one is.
#[inline]
fn pair(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}
