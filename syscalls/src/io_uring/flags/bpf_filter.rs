//! Flags of BPF filters on submissions. Since 7.0.

/// The command: attach a filter.
pub const IO_URING_BPF_CMD_FILTER: u16 = 1;
/// Opcodes without a filter are refused.
pub const IO_URING_BPF_FILTER_DENY_REST: u32 = 1;
/// The size of the opcode's data must match exactly.
pub const IO_URING_BPF_FILTER_SZ_STRICT: u32 = 2;
