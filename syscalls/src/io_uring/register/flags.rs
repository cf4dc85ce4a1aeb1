//! Flags and commands of single registrations.

/// Of FILES2 and BUFFERS2: all slots start empty. Since 5.19.
pub const IORING_RSRC_REGISTER_SPARSE: u32 = 1;
/// Of the probe: the opcode is there. Since 5.6.
pub const IO_URING_OP_SUPPORTED: u32 = 1;
/// Of CLONE_BUFFERS: the source is the index of a registered ring. Since 6.12.
pub const IORING_REGISTER_SRC_REGISTERED: u32 = 1;
/// Of CLONE_BUFFERS: replace what the destination has. Since 6.13.
pub const IORING_REGISTER_DST_REPLACE: u32 = 2;
/// Of PBUF_RING: the kernel allocates the ring, to be mapped afterwards. Since 6.4.
pub const IOU_PBUF_RING_MMAP: u16 = 1;
/// Of PBUF_RING: a buffer is used up bit by bit. Since 6.12.
pub const IOU_PBUF_RING_INC: u16 = 2;
/// Allow this registration. Since 5.10.
pub const IORING_RESTRICTION_REGISTER_OP: u16 = 0;
/// Allow this opcode. Since 5.10.
pub const IORING_RESTRICTION_SQE_OP: u16 = 1;
/// Allow these SQE flags. Since 5.10.
pub const IORING_RESTRICTION_SQE_FLAGS_ALLOWED: u16 = 2;
/// Demand these SQE flags. Since 5.10.
pub const IORING_RESTRICTION_SQE_FLAGS_REQUIRED: u16 = 3;
/// One past the last restriction. Since 5.10.
pub const IORING_RESTRICTION_LAST: u16 = 4;
/// The region holds wait arguments. Since 6.13.
pub const IORING_MEM_REGION_REG_WAIT_ARG: u64 = 1;
/// The caller brings the memory of the region. Since 6.13.
pub const IORING_MEM_REGION_TYPE_USER: u32 = 1;
/// The wait argument carries a timeout. Since 6.13.
pub const IORING_REG_WAIT_TS: u32 = 1;
/// Workers for files and block devices. Since 5.15.
pub const IO_WQ_BOUND: u32 = 0;
/// Workers for everything else. Since 5.15.
pub const IO_WQ_UNBOUND: u32 = 1;
/// Of NAPI: set up. Since 6.13.
pub const IO_URING_NAPI_REGISTER_OP: u8 = 0;
/// Of NAPI: add an id by hand. Since 6.13.
pub const IO_URING_NAPI_STATIC_ADD_ID: u8 = 1;
/// Of NAPI: take an id away. Since 6.13.
pub const IO_URING_NAPI_STATIC_DEL_ID: u8 = 2;
/// Ids are found by the sockets in use. Since 6.13.
pub const IO_URING_NAPI_TRACKING_DYNAMIC: u32 = 0;
/// Ids are given by hand. Since 6.13.
pub const IO_URING_NAPI_TRACKING_STATIC: u32 = 1;
/// No ids. Since 6.13.
pub const IO_URING_NAPI_TRACKING_INACTIVE: u32 = 0xff;
/// Of QUERY: numbers of opcodes, and all flags known. Since 6.18.
pub const IO_URING_QUERY_OPCODES: u32 = 0;
/// Of QUERY: what zero-copy receive can do. Since 6.19.
pub const IO_URING_QUERY_ZCRX: u32 = 1;
/// Of QUERY: layout of the queues' header. Since 6.19.
pub const IO_URING_QUERY_SCQ: u32 = 2;
/// Leave this slot as it is. Since 5.12.
pub const IORING_REGISTER_FILES_SKIP: i32 = -2;
