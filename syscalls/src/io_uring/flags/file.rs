//! Flags of descriptors, of splice and of commands.

/// In `file_index`: the kernel chooses a free slot of the file table. Since 5.19.
pub const IORING_FILE_INDEX_ALLOC: u32 = 0xffff_ffff;
/// Of FIXED_FD_INSTALL: do not set close-on-exec. Since 6.8.
pub const IORING_FIXED_FD_NO_CLOEXEC: u32 = 1;
/// Of SPLICE and TEE: the input is an index of the file table. Since 5.7.
pub const SPLICE_F_FD_IN_FIXED: u32 = 0x8000_0000;
/// Of URING_CMD: the memory lies in a registered buffer. Since 6.1.
pub const IORING_URING_CMD_FIXED: u32 = 1;
/// The bits of `uring_cmd_flags` that are known.
pub const IORING_URING_CMD_MASK: u32 = 1;
/// Command of a block device: discard a range. Since 6.12.
pub const BLOCK_URING_CMD_DISCARD: u32 = 0x1200;
/// Of SETXATTR: fail if the attribute exists. Since 5.19.
pub const XATTR_CREATE: i32 = 1;
/// Of SETXATTR: fail if it does not. Since 5.19.
pub const XATTR_REPLACE: i32 = 2;
