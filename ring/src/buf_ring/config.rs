//! `BufRingConfig`: what a buffer ring is to be.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::queue::{IORING_OFF_MMAP_MASK, IORING_OFF_PBUF_SHIFT};

/// The most buffers of one ring: io_uring takes no more.
pub(super) const COUNT_MAX: u16 = 1 << 15;

/// The largest group with an offset for `mmap`(2): what is left of one below the part that says
/// what is mapped (`IORING_OFF_MMAP_MASK`).
const KERNEL_MAPPED_GROUP_MAX: u16 =
    ((u32::MAX as u64 & !IORING_OFF_MMAP_MASK) >> IORING_OFF_PBUF_SHIFT) as u16;
const _: () = assert!(KERNEL_MAPPED_GROUP_MAX == 2047);

/// How a [`BufRing`](crate::BufRing) is to be.
///
/// ```
/// use annulus_ring::BufRingConfig;
///
/// let config = BufRingConfig { incremental: true, ..BufRingConfig::new(0, 16, 4096) };
/// assert_eq!((config.count, config.min_left), (16, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufRingConfig {
    /// The number of the group, unique on its ring.
    pub group: u16,
    /// How many buffers: a power of two, at most 32,768.
    pub count: u16,
    /// The size of each buffer in bytes, at least 1.
    pub size_bytes: u32,
    /// Let the kernel fill a buffer bit by bit, keeping it between operations until it is full
    /// (`IOU_PBUF_RING_INC`, since 6.12). A kernel that refuses gets a ring without:
    /// [`BufRing::is_incremental`](crate::BufRing::is_incremental) tells. Off by default.
    pub incremental: bool,
    /// With `incremental`: a buffer with fewer bytes left counts as full. A kernel that refuses
    /// gets a ring without: [`BufRing::min_left`](crate::BufRing::min_left) tells. 0 by default.
    pub min_left: u32,
    /// Let the kernel allocate the ring's entries, to be mapped from the ring's descriptor
    /// (`IOU_PBUF_RING_MMAP`, since 6.4; EINVAL before). EINVAL also for groups above 2047, which
    /// have no offset to be mapped from, and EBADF on a ring without descriptor. Off by default:
    /// the entries lie in memory of this process.
    pub kernel_mapped: bool,
}

impl BufRingConfig {
    /// `count` buffers of `size_bytes` each, as `group`; everything else as by default.
    #[must_use]
    pub const fn new(group: u16, count: u16, size_bytes: u32) -> BufRingConfig {
        BufRingConfig {
            group,
            count,
            size_bytes,
            incremental: false,
            min_left: 0,
            kernel_mapped: false,
        }
    }

    /// Refuses what no kernel takes, and what would make no sense.
    pub(super) fn check(&self) -> Result<(), Errno> {
        let counted = self.count.is_power_of_two() && self.count <= COUNT_MAX;
        let left = self.min_left == 0 || (self.incremental && self.min_left <= self.size_bytes);
        let placed = !self.kernel_mapped || self.group <= KERNEL_MAPPED_GROUP_MAX;
        if counted && left && placed && self.size_bytes != 0 {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        }
    }
}
