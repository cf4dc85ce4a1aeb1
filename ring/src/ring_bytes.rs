//! `RingBytes`: how much memory the queues of a ring take.
//!
//! ```text
//!   queues   | heads, tails, .. | CQEs            | array of u32, without NO_SQARRAY |
//!   SQEs     | entries of 64 or 128 bytes         |
//! ```
//!
//! Each area starts on a page of its own. The sizes are those of Linux 6.18 (`rings_size` in
//! `io_uring/io_uring.c`); a test compares them with what the kernel maps.

use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CLAMP, IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE32, IORING_SETUP_CQSIZE,
    IORING_SETUP_NO_SQARRAY, IORING_SETUP_SQE_MIXED, IORING_SETUP_SQE128,
};
use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_params, io_uring_sqe};

/// Most entries of an SQ.
pub const SQ_ENTRIES_MAX: u32 = 32_768;

/// Most entries of a CQ.
pub const CQ_ENTRIES_MAX: u32 = 2 * SQ_ENTRIES_MAX;

/// The kernel aligns the CQEs and the array to this: its cache line.
const CACHE_LINE_BYTES: usize = if cfg!(target_arch = "s390x") {
    256
} else if cfg!(any(target_arch = "powerpc64", target_arch = "powerpc")) {
    128
} else {
    64
};

/// The largest page that a kernel for this architecture has, hexagon's largest (1 MiB) excepted.
pub(crate) const PAGE_BYTES_MAX: usize = if cfg!(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "riscv32",
    target_arch = "s390x"
)) {
    4096
} else {
    65_536
};

/// How many bytes the two areas of a ring take.
///
/// ```
/// use annulus_ring::RingBytes;
///
/// const SMALL: RingBytes = RingBytes::of(8, 0, 0).expect("8 entries are allowed");
/// assert_eq!(SMALL.sqes(), 8 * 64);
/// assert!(SMALL.queues() >= 16 * 16 + 8 * 4);
/// assert_eq!(SMALL.on_pages(4096), 2 * 4096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingBytes {
    queues: usize,
    sqes: usize,
}

impl RingBytes {
    /// The sizes for so many entries under these `IORING_SETUP_*` flags. As the kernel does, it
    /// rounds both numbers up to powers of two, cuts them to the limits with CLAMP, and takes
    /// twice the SQ without CQSIZE. `None` where the kernel refuses the numbers.
    #[must_use]
    pub const fn of(sq_entries: u32, cq_entries: u32, flags: u32) -> Option<RingBytes> {
        let Some(sq) = granted(sq_entries, SQ_ENTRIES_MAX, flags) else {
            return None;
        };
        let cq = if flags & IORING_SETUP_CQSIZE == 0 {
            2 * sq
        } else {
            match granted(cq_entries, CQ_ENTRIES_MAX, flags) {
                Some(cq) if cq >= sq => cq,
                _ => return None,
            }
        };
        if flags & IORING_SETUP_SQE_MIXED != 0 && sq < 2 {
            return None;
        }
        if flags & IORING_SETUP_CQE_MIXED != 0 && cq < 2 {
            return None;
        }
        Some(RingBytes {
            queues: queues_bytes(sq as usize, cq as usize, flags),
            sqes: sq as usize * sqe_bytes(flags),
        })
    }

    /// What the kernel said that a ring takes: without the padding that [`of`](RingBytes::of)
    /// counts, so possibly less.
    pub(crate) const fn granted(params: &io_uring_params) -> RingBytes {
        let cqes =
            params.cq_off.cqes as usize + params.cq_entries as usize * cqe_bytes(params.flags);
        let array = if params.flags & IORING_SETUP_NO_SQARRAY == 0 {
            params.sq_off.array as usize + params.sq_entries as usize * size_of::<u32>()
        } else {
            0
        };
        RingBytes {
            queues: if array > cqes { array } else { cqes },
            sqes: params.sq_entries as usize * sqe_bytes(params.flags),
        }
    }

    /// Bytes of the heads, tails, CQEs and the array.
    #[must_use]
    pub const fn queues(self) -> usize {
        self.queues
    }

    /// Bytes of the SQEs.
    #[must_use]
    pub const fn sqes(self) -> usize {
        self.sqes
    }

    /// Bytes of both, each rounded up to whole pages of `page_bytes`, a power of two.
    #[must_use]
    pub const fn on_pages(self, page_bytes: usize) -> usize {
        self.queues.next_multiple_of(page_bytes) + self.sqes.next_multiple_of(page_bytes)
    }
}

/// How many entries there will be, if the number is allowed.
const fn granted(entries: u32, most: u32, flags: u32) -> Option<u32> {
    if entries == 0 {
        return None;
    }
    if entries > most {
        if flags & IORING_SETUP_CLAMP == 0 {
            return None;
        }
        return Some(most);
    }
    Some(entries.next_power_of_two())
}

const fn queues_bytes(sq: usize, cq: usize, flags: u32) -> usize {
    let head_bytes = 64_usize.next_multiple_of(CACHE_LINE_BYTES);
    let mut bytes = head_bytes + cq * size_of::<io_uring_cqe>();
    if flags & IORING_SETUP_CQE32 != 0 {
        // The kernel doubles the whole, what lies before the CQEs included.
        bytes *= 2;
    }
    bytes = bytes.next_multiple_of(CACHE_LINE_BYTES);
    if flags & IORING_SETUP_NO_SQARRAY == 0 {
        bytes += sq * size_of::<u32>();
    }
    bytes
}

const fn cqe_bytes(flags: u32) -> usize {
    if flags & IORING_SETUP_CQE32 != 0 {
        2 * size_of::<io_uring_cqe>()
    } else {
        size_of::<io_uring_cqe>()
    }
}

const fn sqe_bytes(flags: u32) -> usize {
    if flags & IORING_SETUP_SQE128 != 0 {
        2 * size_of::<io_uring_sqe>()
    } else {
        size_of::<io_uring_sqe>()
    }
}
