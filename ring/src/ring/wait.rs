//! Waiting in all the ways the kernel knows: until when, for how many, with which signals.
//!
//! ```text
//!   Wait --check--> refused: nothing was published, nothing submitted
//!             |
//!             +--> both queues published --> io_uring_enter(EXT_ARG)
//! ```

use core::time::Duration;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::{
    IORING_ENTER_ABS_TIMER, IORING_ENTER_EXT_ARG, IORING_ENTER_GETEVENTS, IORING_ENTER_NO_IOWAIT,
};
use annulus_syscalls::io_uring::feat::{
    IORING_FEAT_EXT_ARG, IORING_FEAT_MIN_TIMEOUT, IORING_FEAT_NO_IOWAIT,
};
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_getevents_arg};

use super::signals::SignalSet;
use super::{Ring, timespec};
use crate::entries::{CqEntry, SqEntry};

/// What [`Ring::enter_with`] waits for, and how. The default waits for nothing.
///
/// A ring of IOPOLL polls its devices instead of sleeping: it heeds `min_complete` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Completions that end the wait. 0 does not wait.
    pub min_complete: u32,
    /// When to stop waiting. Never by default.
    pub limit: TimeLimit,
    /// From when on one completion is enough: for so long the wait is for `min_complete`, and
    /// then for the first, until `limit`. Without a limit, the wait ends here even with no
    /// completion. A longer span than that of [`TimeLimit::After`] is cut to it; a kernel looks
    /// at [`TimeLimit::At`] only when this has passed. Up to 4,294,967,295 microseconds (71
    /// minutes, to which longer spans are cut), rounded up to whole ones. Since 6.12.
    pub min_wait: Option<Duration>,
    /// The signals that are blocked during the wait, in place of the thread's own mask: a signal
    /// that is not in the set and comes, or came before, ends it with EINTR.
    pub signals: Option<SignalSet>,
    /// Whether the wait counts as waiting for a disk, which raises the clock frequency of the
    /// processor and its iowait time. `None` is the ring's choice, see [`Ring::set_iowait`].
    /// `Some(false)` since 6.15; older kernels always count it.
    pub iowait: Option<bool>,
}

/// When a wait ends at the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeLimit {
    /// Never.
    #[default]
    Never,
    /// After this span; more than 63 years are cut to that.
    After(Duration),
    /// When the ring's clock shows this: its time since its zero, up to 63 years. The clock is
    /// `CLOCK_MONOTONIC` unless [`Ring::register_clock`] chose another. The shift of a time
    /// namespace is not heeded (6.18): it is the clock outside. Since 6.12.
    At(Duration),
}

impl Wait {
    /// EOPNOTSUPP for what a kernel with these features would not do, or would refuse with the
    /// entries already submitted.
    pub(super) fn check(&self, features: u32) -> Result<(), Errno> {
        // ABS_TIMER has no feature bit of its own. It came with the same release as MIN_TIMEOUT.
        let needs_6_12 = self.min_wait.is_some() || matches!(self.limit, TimeLimit::At(_));
        let needed = [
            (true, IORING_FEAT_EXT_ARG),
            (needs_6_12, IORING_FEAT_MIN_TIMEOUT),
            (self.iowait == Some(false), IORING_FEAT_NO_IOWAIT),
        ];
        let missing = |&(is_needed, feature): &(bool, u32)| is_needed && features & feature == 0;
        if needed.iter().any(missing) {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(())
    }

    /// The flags of the enter, `ring_flags` being those of the ring's every enter.
    pub(super) fn flags(&self, ring_flags: u32) -> u32 {
        let mut flags = ring_flags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
        if let TimeLimit::At(_) = self.limit {
            flags |= IORING_ENTER_ABS_TIMER;
        }
        match self.iowait {
            Some(true) => flags & !IORING_ENTER_NO_IOWAIT,
            Some(false) => flags | IORING_ENTER_NO_IOWAIT,
            None => flags,
        }
    }

    /// Runs `enter` with the argument that describes this, and its size.
    fn with_arg(
        &self,
        enter: impl FnOnce(usize, usize) -> Result<u32, Errno>,
    ) -> Result<u32, Errno> {
        let time = self.timespec();
        let arg = io_uring_getevents_arg {
            sigmask: address(self.signals.as_ref()),
            sigmask_sz: SignalSet::size_bytes(),
            min_wait_usec: self.min_wait_usec(),
            ts: address(time.as_ref()),
        };
        let place = (&raw const arg).expose_provenance();
        forgive_timeout(enter(place, size_of::<io_uring_getevents_arg>()))
    }

    /// The limit as the kernel takes it.
    pub(super) fn timespec(&self) -> Option<__kernel_timespec> {
        match self.limit {
            TimeLimit::Never => None,
            TimeLimit::After(span) | TimeLimit::At(span) => Some(timespec(span)),
        }
    }

    /// `min_wait` as the kernel takes it; 0 is none.
    pub(super) fn min_wait_usec(&self) -> u32 {
        let span = match (self.min_wait, self.limit) {
            (Some(min_wait), TimeLimit::After(limit)) => min_wait.min(limit),
            (Some(min_wait), _) => min_wait,
            (None, _) => Duration::ZERO,
        };
        u32::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// As [`enter`](Ring::enter), waiting as `wait` says. Returns how many entries were consumed:
    /// running out of time is no error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use annulus_ring::{Ring, RingConfig, TimeLimit, Wait};
    ///
    /// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
    ///     return Ok(()); // io_uring is not to be had here
    /// };
    /// ring.get_sqe().expect("empty").prep_nop();
    /// let wait = Wait {
    ///     min_complete: 2,
    ///     limit: TimeLimit::After(Duration::from_millis(1)),
    ///     ..Wait::default()
    /// };
    /// assert_eq!(ring.enter_with(&wait)?, 1);
    /// assert_eq!(ring.cq_ready(), 1); // the second never came
    /// # Ok::<(), annulus_ring::Errno>(())
    /// ```
    ///
    /// # Errors
    /// EOPNOTSUPP for a part of `wait` that this kernel does not know: nothing was published or
    /// submitted then. Otherwise as [`enter`](Ring::enter). When entries were consumed, an EINTR
    /// is not told: the result is their number.
    ///
    /// # Kernel
    /// Since 5.11, and as the fields of [`Wait`] say.
    pub fn enter_with(&mut self, wait: &Wait) -> Result<u32, Errno> {
        wait.check(self.features())?;
        wait.with_arg(|arg, arg_size| {
            let flags = wait.flags(self.enter_flags);
            // SAFETY: it is the argument that EXT_ARG means, alive until the call is over.
            unsafe { self.enter_raw(flags, wait.min_complete, arg, arg_size) }
        })
    }

    /// Gives popped slots back, runs completion work, brings overflowed completions and waits as
    /// `wait` says, without submitting what is queued. Returns how many completions are ready:
    /// fewer than were waited for when the time ran out.
    ///
    /// # Errors
    /// EOPNOTSUPP for a part of `wait` that this kernel does not know; EINTR, EEXIST, EBADFD and
    /// EBADF as [`enter`](Ring::enter).
    ///
    /// # Kernel
    /// As [`enter_with`](Ring::enter_with).
    pub fn wait(&mut self, wait: &Wait) -> Result<u32, Errno> {
        wait.check(self.features())?;
        self.handle.origin.check()?;
        self.cq.publish();
        wait.with_arg(|arg, arg_size| {
            let flags = wait.flags(self.enter_flags);
            // SAFETY: it is the argument that EXT_ARG means, alive until the call is over.
            unsafe { self.call_kernel(0, wait.min_complete, flags, arg, arg_size) }
        })?;
        Ok(self.cq_ready())
    }

    /// Chooses whether waits of this ring count as waiting for a disk, as [`Wait::iowait`] does
    /// for one. A new ring's do not, where the kernel leaves the choice.
    ///
    /// # Errors
    /// EOPNOTSUPP for `false` where the kernel has no choice to offer.
    ///
    /// # Kernel
    /// Since 6.15; older ones always count them.
    pub fn set_iowait(&mut self, counts: bool) -> Result<(), Errno> {
        if counts {
            self.enter_flags &= !IORING_ENTER_NO_IOWAIT;
            return Ok(());
        }
        if self.features() & IORING_FEAT_NO_IOWAIT == 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.enter_flags |= IORING_ENTER_NO_IOWAIT;
        Ok(())
    }
}

/// Running out of time is no error.
pub(super) fn forgive_timeout(entered: Result<u32, Errno>) -> Result<u32, Errno> {
    match entered {
        Err(Errno::ETIME) => Ok(0),
        other => other,
    }
}

/// The address of what is there, or 0.
fn address<T>(value: Option<&T>) -> u64 {
    value.map_or(0, |value| {
        core::ptr::from_ref(value).expose_provenance() as u64
    })
}

#[cfg(test)]
mod tests {
    use super::{TimeLimit, Wait};
    use core::time::Duration;

    #[test]
    fn a_shorter_wait_is_rounded_up_and_cut_to_what_the_kernel_counts() {
        let usec = |span| {
            Wait {
                min_wait: span,
                ..Wait::default()
            }
            .min_wait_usec()
        };
        assert_eq!(usec(None), 0);
        assert_eq!(usec(Some(Duration::ZERO)), 0);
        assert_eq!(usec(Some(Duration::from_nanos(1))), 1);
        assert_eq!(usec(Some(Duration::from_nanos(1_001))), 2);
        assert_eq!(
            usec(Some(Duration::from_micros(u64::from(u32::MAX)))),
            u32::MAX
        );
        assert_eq!(usec(Some(Duration::MAX)), u32::MAX);
    }

    #[test]
    fn a_shorter_wait_is_not_longer_than_the_limit() {
        let wait = Wait {
            min_wait: Some(Duration::from_secs(1)),
            limit: TimeLimit::After(Duration::from_micros(7)),
            ..Wait::default()
        };
        assert_eq!(wait.min_wait_usec(), 7);
    }
}
