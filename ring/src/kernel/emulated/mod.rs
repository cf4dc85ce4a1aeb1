//! `Emulated`: io_uring's operations in user space, where Linux's own is not to be had.
//!
//! ```text
//!   Ring --enter--> Shared --+--> Engine     what io_uring does with entries
//!                            +--> Os         tries them; epoll says when to try again
//!                                  +--> Pool      threads do what blocks, such as files
//!                                  +--> Mailbox   what threads and other rings have for this one
//! ```
//!
//! Entries, completions, flags and errnos are those of Linux 6.18. What differs:
//!
//! - completions come in an enter that asks for events, and those that were ready at once in any;
//! - a waiting operation does not keep its file open: when the descriptor is closed it ends with
//!   EBADF at the latest when the number is used again, or is cancelled; io_uring would go on;
//! - what a thread has begun is not cancelled (EALREADY): work on files, and WAITID;
//! - accepting from a blocking listener that others accept from too may block the ring;
//! - a level-triggered poll is edge-triggered, and a standing poll may report twice what a new
//!   wait for the same descriptor finds ready;
//! - zero-copy sends copy, and their notification follows the result at once;
//! - memory that is not valid is not EFAULT but a fault of this process;
//! - the descriptor of a ring is not readable while completions wait;
//! - a registered file is a duplicate of its descriptor: what was begun with the slot is not found
//!   by a cancel that names the descriptor, nor the other way round;
//! - memory of registered buffers is not pinned, only in place when it is registered;
//! - there are no files in messages, no clones of buffers, direct pipes, eventfds, personalities,
//!   restrictions, bundles, futexes, SQPOLL and IOPOLL (EINVAL, as on a kernel without them), and a
//!   pinned ring lets any thread in.

mod at_once;
mod fd;
mod file;
mod files;
mod mailbox;
mod net;
mod os;
mod pool;
mod ready;
mod register;
mod rw;
mod shared;
mod spans;
mod table;

pub(super) use file::perform as perform_file;
pub(super) use shared::Shared;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::feat::{
    IORING_FEAT_CQE_SKIP, IORING_FEAT_EXT_ARG, IORING_FEAT_FAST_POLL, IORING_FEAT_LINKED_FILE,
    IORING_FEAT_NATIVE_WORKERS, IORING_FEAT_NODROP, IORING_FEAT_POLL_32BITS,
    IORING_FEAT_RW_CUR_POS, IORING_FEAT_SINGLE_MMAP, IORING_FEAT_SUBMIT_STABLE,
};

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_HYBRID_IOPOLL, IORING_SETUP_IOPOLL, IORING_SETUP_REGISTERED_FD_ONLY,
    IORING_SETUP_SQ_AFF, IORING_SETUP_SQPOLL,
};

use self::mailbox::Mailbox;
use self::pool::Pool;
use super::UserSide;
use super::engine::{self, Memory};
use crate::fork::Origin;
use crate::mask::{FEATURES_SINCE, Mask};
use crate::opcode::Opcode;
use crate::ring::Ring;
use crate::setup::RingConfig;
use crate::version::Version;

/// io_uring's operations in user space. The rings of one kernel share its threads, and can send
/// each other messages.
#[derive(Clone, Debug)]
pub struct Emulated(Arc<Facts>);

#[derive(Debug)]
pub(super) struct Facts {
    mask: Mask,
    pool: Pool,
    /// Its rings, by descriptor.
    rings: Mutex<HashMap<i32, Weak<Mailbox>>>,
}

/// What it can do, as a kernel tells at setup.
const FEATURES: u32 = IORING_FEAT_SINGLE_MMAP
    | IORING_FEAT_NODROP
    | IORING_FEAT_SUBMIT_STABLE
    | IORING_FEAT_RW_CUR_POS
    | IORING_FEAT_FAST_POLL
    | IORING_FEAT_POLL_32BITS
    | IORING_FEAT_EXT_ARG
    | IORING_FEAT_NATIVE_WORKERS
    | IORING_FEAT_CQE_SKIP
    | IORING_FEAT_LINKED_FILE;

impl Emulated {
    pub(super) fn new(mask: Mask) -> Emulated {
        Emulated(Arc::new(Facts {
            mask,
            pool: Pool::new(),
            rings: Mutex::new(HashMap::new()),
        }))
    }

    pub(super) fn open(&self, config: &RingConfig) -> Result<Ring, Errno> {
        const REFUSED: u32 = IORING_SETUP_SQPOLL
            | IORING_SETUP_IOPOLL
            | IORING_SETUP_HYBRID_IOPOLL
            | IORING_SETUP_REGISTERED_FD_ONLY
            | IORING_SETUP_SQ_AFF;
        let flags = config.flags();
        if flags & (REFUSED | self.0.mask.hidden_setup_flags()) != 0 {
            return Err(Errno::EINVAL);
        }
        let origin = Origin::current()?;
        let asked = io_uring_params {
            sq_entries: config.sq_entries,
            cq_entries: config.cq_entries,
            flags,
            features: self.features(),
            ..io_uring_params::default()
        };
        let memory = Arc::new(Memory::new(&asked, origin)?);
        let shared = Shared::new(&memory, &self.0, origin)?;
        let side = Arc::new(UserSide::Emulated(shared));
        Ok(Ring::with_user_side(side, origin, self.0.mask))
    }

    /// What is hidden.
    #[must_use]
    pub fn mask(&self) -> Mask {
        self.0.mask
    }

    pub(super) fn supports(&self, opcode: Opcode) -> bool {
        engine::is_known(opcode.0) && !self.0.mask.hides_opcode(opcode)
    }

    pub(super) fn features(&self) -> u32 {
        FEATURES & !self.0.mask.hidden_features()
    }

    /// The release whose newest opcode or feature is there.
    pub(super) fn version(&self) -> Version {
        let opcodes = (0..=u8::MAX)
            .map(Opcode)
            .filter(|opcode| self.supports(*opcode))
            .filter_map(Opcode::since);
        let features = FEATURES_SINCE
            .iter()
            .filter(|(flag, _)| self.features() & flag != 0)
            .map(|(_, since)| *since);
        opcodes.chain(features).max().unwrap_or(Version::OLDEST)
    }
}

impl Facts {
    fn rings(&self) -> MutexGuard<'_, HashMap<i32, Weak<Mailbox>>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ring with this descriptor.
    fn ring(&self, fd: i32) -> Option<Arc<Mailbox>> {
        self.rings().get(&fd)?.upgrade()
    }
}

/// The error of the call of the C library that just failed.
pub(super) fn last_errno() -> Errno {
    let number = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw(number.unwrap_or(libc::EIO))
}

/// What a call of the C library returned, as a CQE says it.
pub(super) fn result(returned: i64) -> i32 {
    match returned {
        -1 => -last_errno().raw(),
        value => value as i32,
    }
}

/// The buffers without their first `done` bytes.
fn rest_of(parts: &[libc::iovec], done: usize) -> Vec<libc::iovec> {
    let mut parts = parts.to_vec();
    let mut passed = done;
    for part in &mut parts {
        let step = passed.min(part.iov_len);
        part.iov_base = part.iov_base.wrapping_byte_add(step);
        part.iov_len -= step;
        passed -= step;
    }
    parts
}
