//! Making a ring: the flags asked for, and what is given up when the kernel refuses them.
//!
//! Flags are asked for best first. A kernel says EINVAL to a flag it does not know, without saying
//! which: so the newest is given up, and the next, until it agrees. Each one given up is recorded.

use core::fmt;

use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_ATTACH_WQ, IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQSIZE,
    IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_HYBRID_IOPOLL, IORING_SETUP_IOPOLL,
    IORING_SETUP_NO_MMAP, IORING_SETUP_NO_SQARRAY, IORING_SETUP_R_DISABLED,
    IORING_SETUP_REGISTERED_FD_ONLY, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SQ_AFF,
    IORING_SETUP_SQPOLL, IORING_SETUP_SUBMIT_ALL, IORING_SETUP_TASKRUN_FLAG,
};
use annulus_syscalls::io_uring::{io_cqring_offsets, io_sqring_offsets, io_uring_params};
use annulus_syscalls::{Errno, calls};

use crate::handle::{Name, Registered};
use crate::map::Map;
use crate::mask::Mask;
use crate::ring_bytes::RingBytes;
use crate::ring_memory::Areas;

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
    /// Cut numbers of entries above their limits to them (CLAMP), where the kernel else says
    /// EINVAL. On by default.
    pub clamp: bool,
    /// Go on submitting after an entry that fails at once (SUBMIT_ALL); its CQE says why either
    /// way. On by default.
    pub submit_all: bool,
    /// Run completion work when the thread enters the kernel, and show in the SQ's flags that it
    /// waits (COOP_TASKRUN, TASKRUN_FLAG), instead of interrupting the thread. On by default;
    /// without effect with SQPOLL, and pinned rings always defer.
    pub cooperative: bool,
    /// Only one thread will ever submit and ask for events: SINGLE_ISSUER and DEFER_TASKRUN. From
    /// any other thread entering fails with EEXIST. Off by default.
    pub pinned: bool,
    /// Leave the array between SQ and SQEs out (NO_SQARRAY, since 6.6). Off by default.
    pub no_sqarray: bool,
    /// A kernel thread takes SQEs and sleeps after so many idle milliseconds. None by default.
    /// Arguments of SQEs are then lent until the last CQE.
    pub sqpoll_idle_ms: Option<u32>,
    /// The processor that this thread stays on; EINVAL without `sqpoll_idle_ms`, or for one that
    /// is not online. None by default.
    pub sqpoll_cpu: Option<u32>,
    /// The descriptor of a ring. With `sqpoll_idle_ms` in both, and both of this process, that
    /// ring's thread takes this one's entries too; EINVAL if it has no such thread. Without, it
    /// only has to be a ring: the workers of a process are shared anyway since 5.12. ENXIO if
    /// there is no such descriptor, EINVAL if it is no ring. None by default.
    pub attach_wq: Option<i32>,
    /// Start disabled: submitting fails with EBADFD until [`Ring::enable`](crate::Ring::enable).
    /// Off by default.
    pub disabled: bool,
    /// Poll the device for completions (IOPOLL): for reads and writes of files opened with
    /// O_DIRECT whose device has polling queues; what cannot be polled completes with EOPNOTSUPP
    /// or EINVAL. Completions come only in an [`enter`](crate::Ring::enter), which looks at the
    /// device itself, has no time limit, and may return with fewer than it was to wait for. Off
    /// by default.
    pub iopoll: bool,
    /// Sleep for a part of the expected time before polling (HYBRID_IOPOLL, since 6.13); EINVAL
    /// without `iopoll`. Off by default.
    pub hybrid_iopoll: bool,
    /// The ring has no descriptor, only an index of the thread that makes it
    /// (REGISTERED_FD_ONLY, since 6.5): no other thread can enter it, call it, or send it
    /// messages, which fails with EBADF; and it is closed when it is dropped in that thread, or
    /// when that thread ends. EINVAL but on memory that the caller brings. Off by default.
    pub registered_fd_only: bool,
    /// What of the kernel is hidden. Nothing by default.
    pub mask: Mask,
}

impl Default for RingConfig {
    fn default() -> RingConfig {
        RingConfig {
            sq_entries: 256,
            cq_entries: 0,
            clamp: true,
            submit_all: true,
            cooperative: true,
            pinned: false,
            no_sqarray: false,
            sqpoll_idle_ms: None,
            sqpoll_cpu: None,
            attach_wq: None,
            disabled: false,
            iopoll: false,
            hybrid_iopoll: false,
            registered_fd_only: false,
            mask: Mask::NONE,
        }
    }
}

impl RingConfig {
    /// The flags to ask for first.
    pub(crate) fn flags(&self) -> u32 {
        let cooperative = if self.cooperative { COOPERATIVE } else { 0 };
        // SQPOLL runs completion work in its own thread and excludes the other ways.
        let mut flags = match (self.sqpoll_idle_ms, self.pinned) {
            (Some(_), true) => IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER,
            (Some(_), false) => IORING_SETUP_SQPOLL,
            (None, true) => COOPERATIVE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
            (None, false) => cooperative,
        };
        let optional = [
            (self.clamp, IORING_SETUP_CLAMP),
            (self.submit_all, IORING_SETUP_SUBMIT_ALL),
            (self.cq_entries != 0, IORING_SETUP_CQSIZE),
            (self.no_sqarray, IORING_SETUP_NO_SQARRAY),
            (self.sqpoll_cpu.is_some(), IORING_SETUP_SQ_AFF),
            (self.attach_wq.is_some(), IORING_SETUP_ATTACH_WQ),
            (self.disabled, IORING_SETUP_R_DISABLED),
            (self.iopoll, IORING_SETUP_IOPOLL),
            (self.hybrid_iopoll, IORING_SETUP_HYBRID_IOPOLL),
            (self.registered_fd_only, IORING_SETUP_REGISTERED_FD_ONLY),
        ];
        for (wanted, flag) in optional {
            if wanted {
                flags |= flag;
            }
        }
        flags
    }

    /// The most that a ring takes which is set up so: with all that may be given up given up. A
    /// ring without the array takes less.
    pub(crate) fn most_bytes(&self, entry_flags: u32) -> Option<RingBytes> {
        let flags = (self.flags() | entry_flags) & !IORING_SETUP_NO_SQARRAY;
        RingBytes::of(self.sq_entries, self.cq_entries, flags)
    }

    fn params(&self, flags: u32, areas: Option<&Areas>) -> io_uring_params {
        let address = |area: fn(&Areas) -> &Map| areas.map_or(0, |areas| area(areas).address());
        io_uring_params {
            flags,
            sq_off: io_sqring_offsets {
                user_addr: address(|areas| &areas.sqes),
                ..io_sqring_offsets::default()
            },
            cq_off: io_cqring_offsets {
                user_addr: address(|areas| &areas.queues),
                ..io_cqring_offsets::default()
            },
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
    pub(crate) const fn none() -> StepDowns {
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

/// A ring's name and what the kernel said about it; its memory is not mapped yet.
pub(crate) struct NewRing {
    pub(crate) name: Name,
    pub(crate) params: io_uring_params,
    pub(crate) step_downs: StepDowns,
}

/// Sets a ring up for entries that these flags ask for, in `areas` if there are some, giving up
/// flags while the kernel says EINVAL.
///
/// # Safety
/// The areas stay as long as the ring, are used by nothing else, and are as large as
/// [`RingConfig::most_bytes`] says.
pub(crate) unsafe fn set_up(
    config: &RingConfig,
    entry_flags: u32,
    areas: Option<&Areas>,
) -> Result<NewRing, Errno> {
    let mut flags = config.flags() | entry_flags;
    if areas.is_some() {
        flags |= IORING_SETUP_NO_MMAP;
    }
    let mut step_downs = StepDowns::none();
    let mut steps = GIVEN_UP.iter();
    loop {
        let mut params = config.params(flags, areas);
        // SAFETY: promised by the caller: without areas NO_MMAP is not among the flags.
        match unsafe { io_uring_setup(config, &mut params) } {
            Ok(number) => {
                return Ok(NewRing {
                    name: name(number, flags),
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

/// What the number that setup returned means.
fn name(number: i32, flags: u32) -> Name {
    if flags & IORING_SETUP_REGISTERED_FD_ONLY != 0 {
        Name::Index(Registered::here(number as u32))
    } else {
        Name::Fd(number)
    }
}

/// The call, seen through the mask.
///
/// # Safety
/// As [`calls::io_uring_setup`].
unsafe fn io_uring_setup(config: &RingConfig, params: &mut io_uring_params) -> Result<i32, Errno> {
    if params.flags & config.mask.hidden_setup_flags() != 0 {
        return Err(Errno::EINVAL);
    }
    // SAFETY: promised by the caller.
    let number = unsafe { calls::io_uring_setup(config.sq_entries, params) }?;
    params.features &= !config.mask.hidden_features();
    Ok(number)
}
