//! What goes wrong, how often, and how often it has.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// A read or receive returns fewer bytes than there are.
    ShortRead,
    /// A write or send takes fewer bytes than it could.
    ShortWrite,
    /// Completions come in another order than their operations ended.
    Reordered,
    /// A cancel comes after its target has completed.
    CancelTooLate,
    /// A cancel finds its target running: EALREADY.
    CancelRunning,
    /// A cancel finds nothing: ENOENT.
    CancelNothing,
    /// A receive that selects a buffer finds none, though there is one: ENOBUFS.
    NoBuffers,
    /// A multishot operation ends although it might go on.
    MultishotEnds,
    /// A completion of an operation that is over.
    StaleCompletion,
    /// The same completion twice.
    DoubledCompletion,
    /// The completion queue is full.
    Overflow,
    /// The submission queue is consumed in part.
    PartlySubmitted,
    /// enter ends with EINTR.
    EnterInterrupted,
    /// enter ends with EAGAIN.
    EnterAgain,
    /// enter ends with EBUSY.
    EnterBusy,
    /// enter ends with ENOMEM.
    EnterNoMemory,
    /// The notification of a zero-copy send comes late, and after those of later sends.
    LateNotification,
    /// accept ends with EMFILE.
    AcceptNoDescriptors,
    /// accept ends with ECONNABORTED.
    AcceptAborted,
    /// An operation ends with ECANCELED that nobody has cancelled.
    CanceledByNobody,
    /// The clock jumps ahead.
    ClockJump,
    /// A connection is reset.
    Reset,
    /// The wire between two hosts is cut for a while.
    Partition,
    /// A write to a file ends with ENOSPC.
    FileFull,
    /// Work on a file ends with EIO.
    FileFails,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Fault; 25] = [
        Fault::ShortRead,
        Fault::ShortWrite,
        Fault::Reordered,
        Fault::CancelTooLate,
        Fault::CancelRunning,
        Fault::CancelNothing,
        Fault::NoBuffers,
        Fault::MultishotEnds,
        Fault::StaleCompletion,
        Fault::DoubledCompletion,
        Fault::Overflow,
        Fault::PartlySubmitted,
        Fault::EnterInterrupted,
        Fault::EnterAgain,
        Fault::EnterBusy,
        Fault::EnterNoMemory,
        Fault::LateNotification,
        Fault::AcceptNoDescriptors,
        Fault::AcceptAborted,
        Fault::CanceledByNobody,
        Fault::ClockJump,
        Fault::Reset,
        Fault::Partition,
        Fault::FileFull,
        Fault::FileFails,
    ];
}

/// How often each kind happens where it could, and how often it did.
///
/// ```
/// use annulus_ring::kernel::{Fault, Faults};
///
/// let mut faults = Faults::none();
/// faults.set(Fault::ShortRead, 100);
/// assert_eq!(faults.per_mille(Fault::ShortRead), 100);
/// assert_eq!(faults.injected(Fault::ShortRead), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    per_mille: [u32; Fault::ALL.len()],
    injected: [u64; Fault::ALL.len()],
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn none() -> Faults {
        Faults {
            per_mille: [0; Fault::ALL.len()],
            injected: [0; Fault::ALL.len()],
        }
    }

    /// Everything goes wrong now and then, but a program that is right gets on.
    #[must_use]
    pub const fn some() -> Faults {
        let mut faults = Faults::none();
        faults.per_mille = [20; Fault::ALL.len()];
        faults
    }

    /// Lets a kind happen so many times in 1,000 where it could; more than 1,000 is 1,000.
    pub fn set(&mut self, fault: Fault, per_mille: u32) -> &mut Faults {
        self.per_mille[fault as usize] = if per_mille > 1000 { 1000 } else { per_mille };
        self
    }

    /// How many times in 1,000 a kind happens where it could.
    #[must_use]
    pub const fn per_mille(&self, fault: Fault) -> u32 {
        self.per_mille[fault as usize]
    }

    /// How often a kind has happened.
    #[must_use]
    pub const fn injected(&self, fault: Fault) -> u64 {
        self.injected[fault as usize]
    }

    /// Takes over how often things are to happen, not how often they did.
    pub(super) fn set_rates(&mut self, other: &Faults) {
        self.per_mille = other.per_mille;
    }

    pub(super) fn count(&mut self, fault: Fault) {
        self.injected[fault as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn all_kinds_stand_in_their_order() {
        assert!(
            (0..)
                .zip(Fault::ALL)
                .all(|(place, fault)| fault as usize == place)
        );
    }
}
