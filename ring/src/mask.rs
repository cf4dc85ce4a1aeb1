//! `Mask`: makes a kernel look older than it is, so that every step-down can be tested on a new one.
//!
//! Hidden are setup flags, features, opcodes and registrations that the older kernel lacks: they
//! are refused with EINVAL before the kernel sees them, as that kernel would refuse them.

use annulus_syscalls::io_uring::feat::{
    IORING_FEAT_MIN_TIMEOUT, IORING_FEAT_NO_IOWAIT, IORING_FEAT_RECVSEND_BUNDLE,
    IORING_FEAT_REG_REG_RING, IORING_FEAT_RW_ATTR,
};
use annulus_syscalls::io_uring::register::op;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CQE_MIXED, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_HYBRID_IOPOLL,
    IORING_SETUP_NO_MMAP, IORING_SETUP_NO_SQARRAY, IORING_SETUP_REGISTERED_FD_ONLY,
    IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQ_REWIND, IORING_SETUP_SQE_MIXED,
};

use crate::opcode::Opcode;
use crate::version::Version;

/// What of the kernel is hidden.
///
/// ```
/// use annulus_ring::{Mask, Opcode};
///
/// assert!(Mask::V5_19.hides_opcode(Opcode::SEND_ZC)); // since 6.0
/// assert!(!Mask::V6_1.hides_opcode(Opcode::SEND_ZC));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// The newest kernel whose abilities are shown; `None` shows all.
    newest: Option<Version>,
}

impl Mask {
    /// Hides nothing.
    pub const NONE: Mask = Mask { newest: None };
    /// Looks like 5.19, the oldest kernel that is supported.
    pub const V5_19: Mask = Mask::up_to(Version::new(5, 19));
    /// Looks like 6.1.
    pub const V6_1: Mask = Mask::up_to(Version::new(6, 1));
    /// Looks like 6.6.
    pub const V6_6: Mask = Mask::up_to(Version::new(6, 6));
    /// Looks like 6.12.
    pub const V6_12: Mask = Mask::up_to(Version::new(6, 12));

    /// Hides everything newer than `newest`. Nothing of 5.19 or older is ever hidden.
    #[must_use]
    pub const fn up_to(newest: Version) -> Mask {
        Mask {
            newest: Some(newest),
        }
    }

    /// Whether anything is hidden.
    #[must_use]
    pub const fn hides_anything(self) -> bool {
        self.newest.is_some()
    }

    /// Whether what came with `since` is hidden.
    #[must_use]
    pub const fn hides(self, since: Version) -> bool {
        match self.newest {
            Some(newest) => !newest.at_least(since),
            None => false,
        }
    }

    /// Whether this opcode is hidden.
    #[must_use]
    pub fn hides_opcode(self, opcode: Opcode) -> bool {
        opcode.since().is_some_and(|since| self.hides(since))
    }

    /// Whether this registration (`IORING_REGISTER_*`) is hidden.
    #[must_use]
    pub fn hides_register(self, opcode: u32) -> bool {
        self.hidden(&REGISTER_SINCE)
            .any(|(number, _)| *number == opcode)
    }

    /// The setup flags that are hidden.
    #[must_use]
    pub fn hidden_setup_flags(self) -> u32 {
        self.hidden(&SETUP_SINCE)
            .fold(0, |all, (flag, _)| all | flag)
    }

    /// The features that are hidden.
    #[must_use]
    pub fn hidden_features(self) -> u32 {
        self.hidden(&FEATURES_SINCE)
            .fold(0, |all, (flag, _)| all | flag)
    }

    /// The entries of `table` that are hidden.
    fn hidden(self, table: &[(u32, Version)]) -> impl Iterator<Item = &(u32, Version)> {
        table.iter().filter(move |(_, since)| self.hides(*since))
    }
}

/// Setup flags newer than 5.19.
const SETUP_SINCE: [(u32, Version); 9] = [
    (IORING_SETUP_SINGLE_ISSUER, Version::new(6, 0)),
    (IORING_SETUP_DEFER_TASKRUN, Version::new(6, 1)),
    (IORING_SETUP_NO_MMAP, Version::new(6, 5)),
    (IORING_SETUP_REGISTERED_FD_ONLY, Version::new(6, 5)),
    (IORING_SETUP_NO_SQARRAY, Version::new(6, 6)),
    (IORING_SETUP_HYBRID_IOPOLL, Version::new(6, 13)),
    (IORING_SETUP_CQE_MIXED, Version::new(6, 18)),
    (IORING_SETUP_SQE_MIXED, Version::new(6, 19)),
    (IORING_SETUP_SQ_REWIND, Version::new(7, 0)),
];

/// Features newer than 5.19.
pub(crate) const FEATURES_SINCE: [(u32, Version); 5] = [
    (IORING_FEAT_REG_REG_RING, Version::new(6, 3)),
    (IORING_FEAT_RECVSEND_BUNDLE, Version::new(6, 10)),
    (IORING_FEAT_MIN_TIMEOUT, Version::new(6, 12)),
    (IORING_FEAT_RW_ATTR, Version::new(6, 14)),
    (IORING_FEAT_NO_IOWAIT, Version::new(6, 15)),
];

/// Registrations newer than 5.19.
const REGISTER_SINCE: [(u32, Version); 15] = [
    (op::IORING_REGISTER_SYNC_CANCEL, Version::new(6, 0)),
    (op::IORING_REGISTER_FILE_ALLOC_RANGE, Version::new(6, 0)),
    (op::IORING_REGISTER_PBUF_STATUS, Version::new(6, 8)),
    (op::IORING_REGISTER_NAPI, Version::new(6, 9)),
    (op::IORING_UNREGISTER_NAPI, Version::new(6, 9)),
    (op::IORING_REGISTER_CLOCK, Version::new(6, 12)),
    (op::IORING_REGISTER_CLONE_BUFFERS, Version::new(6, 12)),
    (op::IORING_REGISTER_SEND_MSG_RING, Version::new(6, 13)),
    (op::IORING_REGISTER_RESIZE_RINGS, Version::new(6, 13)),
    (op::IORING_REGISTER_MEM_REGION, Version::new(6, 13)),
    (op::IORING_REGISTER_ZCRX_IFQ, Version::new(6, 15)),
    (op::IORING_REGISTER_QUERY, Version::new(6, 18)),
    (op::IORING_REGISTER_ZCRX_CTRL, Version::new(6, 19)),
    (op::IORING_REGISTER_BPF_FILTER, Version::new(7, 0)),
    (op::IORING_REGISTER_USE_REGISTERED_RING, Version::new(6, 3)),
];

#[cfg(test)]
mod tests {
    use super::Mask;
    use crate::version::Version;
    use annulus_syscalls::io_uring::{feat, register, setup};

    #[test]
    fn no_mask_hides_nothing() {
        assert_eq!(Mask::NONE.hidden_setup_flags(), 0);
        assert_eq!(Mask::NONE.hidden_features(), 0);
        assert!(!Mask::NONE.hides_anything());
        assert!(Mask::V6_12.hides_anything());
        assert!(!Mask::NONE.hides(Version::new(99, 0)));
        assert!(!Mask::NONE.hides_register(register::op::IORING_REGISTER_QUERY));
    }

    #[test]
    fn each_preset_hides_what_the_next_one_shows() {
        let (single, defer) = (
            setup::IORING_SETUP_SINGLE_ISSUER,
            setup::IORING_SETUP_DEFER_TASKRUN,
        );
        let no_array = setup::IORING_SETUP_NO_SQARRAY;
        assert_eq!(
            Mask::V5_19.hidden_setup_flags() & (single | defer),
            single | defer
        );
        assert_eq!(
            Mask::V6_1.hidden_setup_flags() & (single | defer | no_array),
            no_array
        );
        assert_eq!(Mask::V6_6.hidden_setup_flags() & no_array, 0);
        assert_ne!(
            Mask::V6_6.hidden_features() & feat::IORING_FEAT_RECVSEND_BUNDLE,
            0
        );
        assert_eq!(
            Mask::V6_12.hidden_features() & feat::IORING_FEAT_RECVSEND_BUNDLE,
            0
        );
        assert_ne!(
            Mask::V6_12.hidden_features() & feat::IORING_FEAT_NO_IOWAIT,
            0
        );
        assert!(Mask::V5_19.hides_register(register::op::IORING_REGISTER_SYNC_CANCEL));
        assert!(!Mask::V6_1.hides_register(register::op::IORING_REGISTER_SYNC_CANCEL));
        assert!(Mask::V6_12.hides_register(register::op::IORING_REGISTER_SEND_MSG_RING));
    }
}
