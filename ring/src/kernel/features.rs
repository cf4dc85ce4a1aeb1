//! The names of what a kernel says it can do.

use std::vec::Vec;

use annulus_syscalls::io_uring::feat;

use super::Kernel;

/// Every feature, by bit.
const NAMES: [(u32, &str); 18] = [
    (feat::IORING_FEAT_SINGLE_MMAP, "SINGLE_MMAP"),
    (feat::IORING_FEAT_NODROP, "NODROP"),
    (feat::IORING_FEAT_SUBMIT_STABLE, "SUBMIT_STABLE"),
    (feat::IORING_FEAT_RW_CUR_POS, "RW_CUR_POS"),
    (feat::IORING_FEAT_CUR_PERSONALITY, "CUR_PERSONALITY"),
    (feat::IORING_FEAT_FAST_POLL, "FAST_POLL"),
    (feat::IORING_FEAT_POLL_32BITS, "POLL_32BITS"),
    (feat::IORING_FEAT_SQPOLL_NONFIXED, "SQPOLL_NONFIXED"),
    (feat::IORING_FEAT_EXT_ARG, "EXT_ARG"),
    (feat::IORING_FEAT_NATIVE_WORKERS, "NATIVE_WORKERS"),
    (feat::IORING_FEAT_RSRC_TAGS, "RSRC_TAGS"),
    (feat::IORING_FEAT_CQE_SKIP, "CQE_SKIP"),
    (feat::IORING_FEAT_LINKED_FILE, "LINKED_FILE"),
    (feat::IORING_FEAT_REG_REG_RING, "REG_REG_RING"),
    (feat::IORING_FEAT_RECVSEND_BUNDLE, "RECVSEND_BUNDLE"),
    (feat::IORING_FEAT_MIN_TIMEOUT, "MIN_TIMEOUT"),
    (feat::IORING_FEAT_RW_ATTR, "RW_ATTR"),
    (feat::IORING_FEAT_NO_IOWAIT, "NO_IOWAIT"),
];

impl Kernel {
    /// The names of its [`features`](Kernel::features), without `IORING_FEAT_`; bits that no known
    /// kernel has are left out.
    #[must_use]
    pub fn feature_names(&self) -> Vec<&'static str> {
        let bits = self.features();
        let there = NAMES.iter().filter(|(bit, _)| bits & bit != 0);
        there.map(|(_, name)| *name).collect()
    }
}
