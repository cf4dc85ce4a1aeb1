//! Flags of zero-copy receive.

/// The area is a dma-buf. Since 6.16.
pub const IORING_ZCRX_AREA_DMABUF: u32 = 1;
/// Take a queue that another ring exported. Since 6.19.
pub const ZCRX_REG_IMPORT: u32 = 1;
/// Without a device: data is copied. Newer than 6.18.
pub const ZCRX_REG_NODEV: u32 = 2;
/// Command: take back what lies in the refill queue. Since 6.19.
pub const ZCRX_CTRL_FLUSH_RQ: u32 = 0;
/// Command: make a descriptor of the queue. Since 6.19.
pub const ZCRX_CTRL_EXPORT: u32 = 1;
/// The size of receive buffers can be chosen. Newer than 6.18.
pub const ZCRX_FEATURE_RX_PAGE_SIZE: u32 = 1;
/// Where the area's token starts in an offset. Since 6.15.
pub const IORING_ZCRX_AREA_SHIFT: u32 = 0x30;
/// The bits of an offset that are the area's token. Since 6.15.
pub const IORING_ZCRX_AREA_MASK: u64 = 0xffff_0000_0000_0000;
