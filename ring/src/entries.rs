//! What the two queues of a ring consist of: the type parameters of [`Ring`](crate::Ring).
//!
//! ```text
//!   SQ   Sqe         64 bytes each               what Ring has unless told otherwise
//!        Sqe128     128 bytes each               SQE128
//!        MixedSqes   one slot of 64, or two      SQE_MIXED
//!   CQ   Cqe         16 bytes each               what Ring has unless told otherwise
//!        Cqe32       32 bytes each               CQE32
//!        MixedCqes   one slot of 16, or two      CQE_MIXED
//! ```
//!
//! The traits are sealed: the kernel knows no other entries.

use core::fmt::Debug;

use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_32, IORING_CQE_F_SKIP};
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CQE_MIXED, IORING_SETUP_CQE32, IORING_SETUP_SQE_MIXED, IORING_SETUP_SQE128,
};

use crate::cqe::Cqe;
use crate::cqe_wide::{Cqe32, MixedCqe};
use crate::sqe::{Sqe, Sqe128};

/// What the SQ of a ring consists of: [`Sqe`], [`Sqe128`] or [`MixedSqes`].
pub trait SqEntry: sealed::Sq<Slot = <Self as SqEntry>::Entry> {
    /// What [`Ring::get_sqe`](crate::Ring::get_sqe) hands out.
    type Entry: AsMut<Sqe> + Debug;
}

/// What the CQ of a ring consists of: [`Cqe`], [`Cqe32`] or [`MixedCqes`].
pub trait CqEntry: sealed::Cq<Popped = <Self as CqEntry>::Completion> {
    /// What [`Ring::pop`](crate::Ring::pop) gives.
    type Completion: AsRef<Cqe> + Clone + Copy + Debug + Default;
}

/// An SQ with entries of both sizes: 64 bytes in one slot, 128 in two that follow each other.
///
/// # Kernel
/// Since 6.19; before, setting the ring up fails with EINVAL.
#[derive(Clone, Copy, Debug)]
pub struct MixedSqes;

/// A CQ with completions of both sizes: 16 bytes in one slot, 32 in two that follow each other.
/// Where only one slot is left before the end, the kernel fills it with a gap, which
/// [`Ring::pop`](crate::Ring::pop) passes over.
///
/// # Kernel
/// Since 6.18; before, setting the ring up fails with EINVAL.
#[derive(Clone, Copy, Debug)]
pub struct MixedCqes;

impl SqEntry for Sqe {
    type Entry = Sqe;
}

impl SqEntry for Sqe128 {
    type Entry = Sqe128;
}

impl SqEntry for MixedSqes {
    type Entry = Sqe;
}

impl CqEntry for Cqe {
    type Completion = Cqe;
}

impl CqEntry for Cqe32 {
    type Completion = Cqe32;
}

impl CqEntry for MixedCqes {
    type Completion = MixedCqe;
}

/// What the queues need to know. Nobody else can name these traits, so nobody implements them.
pub(crate) mod sealed {
    /// The slots of an SQ.
    pub trait Sq {
        /// A slot as it lies in memory; any bytes are valid.
        type Slot;
        /// The setup flag that asks for it.
        const SETUP_FLAG: u32;
        /// Whether an entry may take two slots.
        const MIXED: bool = false;

        /// An entry of zeros.
        fn zeroed() -> Self::Slot;
    }

    /// The slots of a CQ.
    pub trait Cq {
        /// A slot as it lies in memory; any bytes are valid.
        type Slot: Copy;
        /// A completion, copied out.
        type Popped;
        /// The setup flag that asks for it.
        const SETUP_FLAG: u32;

        /// What begins in this slot.
        fn begins(slot: &Self::Slot) -> Begins;
        /// The completion of one slot.
        fn one(slot: Self::Slot) -> Self::Popped;
        /// The completion of two slots; never called unless [`Begins::Two`] was said.
        fn two(slots: [Self::Slot; 2]) -> Self::Popped;
    }

    /// What begins in a slot of a CQ.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Begins {
        /// A completion that ends there.
        One,
        /// A completion that ends in the next slot.
        Two,
        /// A gap of so many slots: no completion.
        Gap(u32),
    }
}

impl sealed::Sq for Sqe {
    type Slot = Sqe;
    const SETUP_FLAG: u32 = 0;

    #[inline]
    fn zeroed() -> Sqe {
        Sqe::new()
    }
}

impl sealed::Sq for Sqe128 {
    type Slot = Sqe128;
    const SETUP_FLAG: u32 = IORING_SETUP_SQE128;

    #[inline]
    fn zeroed() -> Sqe128 {
        Sqe128::new()
    }
}

impl sealed::Sq for MixedSqes {
    type Slot = Sqe;
    const SETUP_FLAG: u32 = IORING_SETUP_SQE_MIXED;
    const MIXED: bool = true;

    #[inline]
    fn zeroed() -> Sqe {
        Sqe::new()
    }
}

impl sealed::Cq for Cqe {
    type Slot = Cqe;
    type Popped = Cqe;
    const SETUP_FLAG: u32 = 0;

    #[inline]
    fn begins(_: &Cqe) -> sealed::Begins {
        sealed::Begins::One
    }

    #[inline]
    fn one(slot: Cqe) -> Cqe {
        slot
    }

    #[inline]
    fn two([first, _]: [Cqe; 2]) -> Cqe {
        first
    }
}

impl sealed::Cq for Cqe32 {
    type Slot = Cqe32;
    type Popped = Cqe32;
    const SETUP_FLAG: u32 = IORING_SETUP_CQE32;

    #[inline]
    fn begins(_: &Cqe32) -> sealed::Begins {
        sealed::Begins::One
    }

    #[inline]
    fn one(slot: Cqe32) -> Cqe32 {
        slot
    }

    #[inline]
    fn two([first, _]: [Cqe32; 2]) -> Cqe32 {
        first
    }
}

impl sealed::Cq for MixedCqes {
    type Slot = Cqe;
    type Popped = MixedCqe;
    const SETUP_FLAG: u32 = IORING_SETUP_CQE_MIXED;

    #[inline]
    fn begins(slot: &Cqe) -> sealed::Begins {
        let wide = slot.flags() & IORING_CQE_F_32 != 0;
        if slot.flags() & IORING_CQE_F_SKIP != 0 {
            sealed::Begins::Gap(1 + u32::from(wide))
        } else if wide {
            sealed::Begins::Two
        } else {
            sealed::Begins::One
        }
    }

    #[inline]
    fn one(slot: Cqe) -> MixedCqe {
        MixedCqe::Plain(slot)
    }

    #[inline]
    fn two([first, second]: [Cqe; 2]) -> MixedCqe {
        MixedCqe::Wide(Cqe32::joined(first, second))
    }
}
