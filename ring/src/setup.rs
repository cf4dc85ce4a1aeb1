//! Making a ring: the flags asked for, and what is given up when the kernel refuses them.
//!
//! Flags are asked for best first. A kernel says EINVAL to a flag it does not know, without saying
//! which: so the newest is given up, and the next, until it agrees. Each one given up is recorded.

use core::fmt;

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_ATTACH_WQ, IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQSIZE,
    IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_NO_SQARRAY, IORING_SETUP_R_DISABLED,
    IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQ_AFF, IORING_SETUP_SQPOLL, IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_TASKRUN_FLAG,
};
use annulus_syscalls::{Errno, calls};

use crate::mask::Mask;

/// How a ring is to be.
///
/// ```
/// use annulus_ring::RingConfig;
///
/// let config = RingConfig { sq_entries: 64, ..RingConfig::default() };
/// assert!(!config.pinned);
/// ```
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// Entries of the SQ, 1 to 32,768; rounded up to a power of two. 256 by default.
    pub sq_entries: u32,
    /// Entries of the CQ, at least `sq_entries` and at most 65,536; rounded up to a power of two.
    /// 0, the default, is twice the SQ.
    pub cq_entries: u32,
    /// Only one thread will ever submit and ask for events: SINGLE_ISSUER and DEFER_TASKRUN. From
    /// any other thread entering fails with EEXIST. Off by default.
    pub pinned: bool,
    /// Leave the array between SQ and SQEs out (NO_SQARRAY, since 6.6). Off by default.
    pub no_sqarray: bool,
    /// A kernel thread takes SQEs and sleeps after so many idle milliseconds. None by default.
    /// Arguments of SQEs are then lent until the last CQE.
    pub sqpoll_idle_ms: Option<u32>,
    /// The processor that this thread stays on. None by default.
    pub sqpoll_cpu: Option<u32>,
    /// The descriptor of a ring whose worker threads are shared. None by default.
    pub attach_wq: Option<i32>,
    /// Start disabled: submitting fails with EBADFD until the ring is enabled. Off by default.
    pub disabled: bool,
    /// What of the kernel is hidden. Nothing by default.
    pub mask: Mask,
}

impl Default for RingConfig {
    fn default() -> RingConfig {
        RingConfig {
            sq_entries: 256,
            cq_entries: 0,
            pinned: false,
            no_sqarray: false,
            sqpoll_idle_ms: None,
            sqpoll_cpu: None,
            attach_wq: None,
            disabled: false,
            mask: Mask::NONE,
        }
    }
}

impl RingConfig {
    /// The flags to ask for first.
    fn flags(&self) -> u32 {
        let mut flags = IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
        // SQPOLL runs completion work in its own thread and excludes the other ways.
        flags |= match (self.sqpoll_idle_ms, self.pinned) {
            (Some(_), true) => IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER,
            (Some(_), false) => IORING_SETUP_SQPOLL,
            (None, true) => COOPERATIVE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
            (None, false) => COOPERATIVE,
        };
        let optional = [
            (self.cq_entries != 0, IORING_SETUP_CQSIZE),
            (self.no_sqarray, IORING_SETUP_NO_SQARRAY),
            (self.sqpoll_cpu.is_some(), IORING_SETUP_SQ_AFF),
            (self.attach_wq.is_some(), IORING_SETUP_ATTACH_WQ),
            (self.disabled, IORING_SETUP_R_DISABLED),
        ];
        for (wanted, flag) in optional {
            if wanted {
                flags |= flag;
            }
        }
        flags
    }

    fn params(&self, flags: u32) -> io_uring_params {
        io_uring_params {
            flags,
            cq_entries: self.cq_entries,
            sq_thread_idle: self.sqpoll_idle_ms.unwrap_or(0),
            sq_thread_cpu: self.sqpoll_cpu.unwrap_or(0),
            wq_fd: self.attach_wq.unwrap_or(0) as u32,
            ..io_uring_params::default()
        }
    }
}

const COOPERATIVE: u32 = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

/// What may be given up, in this order: newest first, and DEFER_TASKRUN and TASKRUN_FLAG before
/// the flags they need. What is not here changes what the ring is, and is never given up.
const GIVEN_UP: [(u32, &str); STEPS_MAX] = [
    (IORING_SETUP_NO_SQARRAY, "IORING_SETUP_NO_SQARRAY"),
    (IORING_SETUP_DEFER_TASKRUN, "IORING_SETUP_DEFER_TASKRUN"),
    (IORING_SETUP_SINGLE_ISSUER, "IORING_SETUP_SINGLE_ISSUER"),
    (IORING_SETUP_TASKRUN_FLAG, "IORING_SETUP_TASKRUN_FLAG"),
    (IORING_SETUP_COOP_TASKRUN, "IORING_SETUP_COOP_TASKRUN"),
    (IORING_SETUP_SUBMIT_ALL, "IORING_SETUP_SUBMIT_ALL"),
];
const STEPS_MAX: usize = 6;

/// A setup flag that was given up, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepDown {
    flag: u32,
    name: &'static str,
    errno: Errno,
}

impl StepDown {
    /// The flag, `IORING_SETUP_*`.
    #[must_use]
    pub const fn flag(&self) -> u32 {
        self.flag
    }

    /// Its C name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the kernel said while the flag was asked for.
    #[must_use]
    pub const fn errno(&self) -> Errno {
        self.errno
    }
}

impl fmt::Display for StepDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "without {} ({})", self.name, self.errno)
    }
}

/// The flags that were given up for a ring, in order.
#[derive(Clone, Debug)]
pub(crate) struct StepDowns {
    steps: [StepDown; STEPS_MAX],
    count: usize,
}

impl StepDowns {
    const fn none() -> StepDowns {
        let unused = StepDown {
            flag: 0,
            name: "",
            errno: Errno::EINVAL,
        };
        StepDowns {
            steps: [unused; STEPS_MAX],
            count: 0,
        }
    }

    fn push(&mut self, step: StepDown) {
        self.steps[self.count] = step;
        self.count += 1;
    }

    pub(crate) fn as_slice(&self) -> &[StepDown] {
        &self.steps[..self.count]
    }
}

/// A ring's descriptor and what the kernel said about it; its memory is not mapped yet.
pub(crate) struct NewRing {
    pub(crate) fd: i32,
    pub(crate) params: io_uring_params,
    pub(crate) step_downs: StepDowns,
}

/// Sets a ring up, giving up flags while the kernel says EINVAL.
pub(crate) fn set_up(config: &RingConfig) -> Result<NewRing, Errno> {
    let mut flags = config.flags();
    let mut step_downs = StepDowns::none();
    let mut steps = GIVEN_UP.iter();
    loop {
        let mut params = config.params(flags);
        match io_uring_setup(config, &mut params) {
            Ok(fd) => {
                return Ok(NewRing {
                    fd,
                    params,
                    step_downs,
                });
            }
            Err(Errno::EINVAL) => {
                let next = steps.find(|(flag, _)| flags & flag != 0);
                let &(flag, name) = next.ok_or(Errno::EINVAL)?;
                flags &= !flag;
                step_downs.push(StepDown {
                    flag,
                    name,
                    errno: Errno::EINVAL,
                });
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// The call, seen through the mask.
fn io_uring_setup(config: &RingConfig, params: &mut io_uring_params) -> Result<i32, Errno> {
    if params.flags & config.mask.hidden_setup_flags() != 0 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: NO_MMAP is not among the flags that a config asks for.
    let fd = unsafe { calls::io_uring_setup(config.sq_entries, params) }?;
    params.features &= !config.mask.hidden_features();
    Ok(fd)
}
