//! Flags of futexes, in `fd`.

/// The word has 8 bits. Since 6.7.
pub const FUTEX2_SIZE_U8: u32 = 0;
/// The word has 16 bits. Since 6.7.
pub const FUTEX2_SIZE_U16: u32 = 1;
/// The word has 32 bits. Since 6.7.
pub const FUTEX2_SIZE_U32: u32 = 2;
/// The word has 64 bits. Since 6.7.
pub const FUTEX2_SIZE_U64: u32 = 3;
/// The word is followed by its node. Since 6.7.
pub const FUTEX2_NUMA: u32 = 4;
/// Only threads of this process wait on it. Since 6.7.
pub const FUTEX2_PRIVATE: u32 = 0x80;
/// The bits that give the size. Since 6.7.
pub const FUTEX2_SIZE_MASK: u32 = 3;
