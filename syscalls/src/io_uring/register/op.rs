//! Opcodes of `io_uring_register`(2).

/// Register buffers (`iovec` array). Since 5.1.
pub const IORING_REGISTER_BUFFERS: u32 = 0;
/// Forget the registered buffers. Since 5.1.
pub const IORING_UNREGISTER_BUFFERS: u32 = 1;
/// Register a file table (`i32` array). Since 5.1.
pub const IORING_REGISTER_FILES: u32 = 2;
/// Forget the file table. Since 5.1.
pub const IORING_UNREGISTER_FILES: u32 = 3;
/// Signal an eventfd at each completion. Since 5.2.
pub const IORING_REGISTER_EVENTFD: u32 = 4;
/// Stop signalling it. Since 5.2.
pub const IORING_UNREGISTER_EVENTFD: u32 = 5;
/// Change slots of the file table. Since 5.5.
pub const IORING_REGISTER_FILES_UPDATE: u32 = 6;
/// Signal an eventfd at completions that were not immediate. Since 5.6.
pub const IORING_REGISTER_EVENTFD_ASYNC: u32 = 7;
/// Ask which opcodes there are. Since 5.6.
pub const IORING_REGISTER_PROBE: u32 = 8;
/// Keep the caller's credentials under a number. Since 5.6.
pub const IORING_REGISTER_PERSONALITY: u32 = 9;
/// Forget such credentials. Since 5.6.
pub const IORING_UNREGISTER_PERSONALITY: u32 = 10;
/// Limit what the ring may do from now on. Since 5.10.
pub const IORING_REGISTER_RESTRICTIONS: u32 = 11;
/// Enable a ring that started disabled. Since 5.10.
pub const IORING_REGISTER_ENABLE_RINGS: u32 = 12;
/// Register a file table with tags or empty slots. Since 5.13.
pub const IORING_REGISTER_FILES2: u32 = 13;
/// Change slots of the file table, with tags. Since 5.13.
pub const IORING_REGISTER_FILES_UPDATE2: u32 = 14;
/// Register buffers with tags or empty slots. Since 5.13.
pub const IORING_REGISTER_BUFFERS2: u32 = 15;
/// Change registered buffers. Since 5.13.
pub const IORING_REGISTER_BUFFERS_UPDATE: u32 = 16;
/// Keep worker threads on a set of processors. Since 5.14.
pub const IORING_REGISTER_IOWQ_AFF: u32 = 17;
/// Let them run anywhere again. Since 5.14.
pub const IORING_UNREGISTER_IOWQ_AFF: u32 = 18;
/// Limit the number of worker threads. Since 5.15.
pub const IORING_REGISTER_IOWQ_MAX_WORKERS: u32 = 19;
/// Register ring descriptors for this thread. Since 5.18.
pub const IORING_REGISTER_RING_FDS: u32 = 20;
/// Forget registered ring descriptors of this thread. Since 5.18.
pub const IORING_UNREGISTER_RING_FDS: u32 = 21;
/// Register a ring of provided buffers. Since 5.19.
pub const IORING_REGISTER_PBUF_RING: u32 = 22;
/// Forget a ring of provided buffers. Since 5.19.
pub const IORING_UNREGISTER_PBUF_RING: u32 = 23;
/// Cancel operations and wait until they are gone. Since 6.0.
pub const IORING_REGISTER_SYNC_CANCEL: u32 = 24;
/// Which slots the kernel may choose from. Since 6.0.
pub const IORING_REGISTER_FILE_ALLOC_RANGE: u32 = 25;
/// Ask how far the kernel has read a buffer ring. Since 6.8.
pub const IORING_REGISTER_PBUF_STATUS: u32 = 26;
/// Poll the network card while waiting. Since 6.9.
pub const IORING_REGISTER_NAPI: u32 = 27;
/// Stop polling the network card. Since 6.9.
pub const IORING_UNREGISTER_NAPI: u32 = 28;
/// Choose the clock of waits. Since 6.12.
pub const IORING_REGISTER_CLOCK: u32 = 29;
/// Share registered buffers of another ring. Since 6.12.
pub const IORING_REGISTER_CLONE_BUFFERS: u32 = 30;
/// Send one MSG_RING SQE without having a ring. Since 6.13.
pub const IORING_REGISTER_SEND_MSG_RING: u32 = 31;
/// Register a receive queue of a network card. Since 6.15.
pub const IORING_REGISTER_ZCRX_IFQ: u32 = 32;
/// Change the sizes of the queues. Since 6.13.
pub const IORING_REGISTER_RESIZE_RINGS: u32 = 33;
/// Register a region for wait arguments. Since 6.13.
pub const IORING_REGISTER_MEM_REGION: u32 = 34;
/// Ask what this kernel knows, with or without a ring. Since 6.18.
pub const IORING_REGISTER_QUERY: u32 = 35;
/// Control a receive queue of a network card. Since 6.19.
pub const IORING_REGISTER_ZCRX_CTRL: u32 = 36;
/// Attach a BPF filter to what may be submitted. Since 7.0.
pub const IORING_REGISTER_BPF_FILTER: u32 = 37;
/// Or-ed to an opcode: the descriptor is the index of a registered ring. Since 6.3.
pub const IORING_REGISTER_USE_REGISTERED_RING: u32 = 0x8000_0000;
