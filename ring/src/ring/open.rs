//! Making a ring: setting it up and finding its queues in memory.

use alloc::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::IORING_ENTER_NO_IOWAIT;
use annulus_syscalls::io_uring::feat::{IORING_FEAT_NO_IOWAIT, IORING_FEAT_SINGLE_MMAP};
use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::queue::{IORING_OFF_SQ_RING, IORING_OFF_SQES};

use super::Ring;
use crate::entries::{CqEntry, SqEntry};
use crate::fork::Origin;
use crate::handle::{Handle, Name};
#[cfg(feature = "std")]
use crate::kernel::UserSide;
use crate::map::Map;
#[cfg(feature = "std")]
use crate::mask::Mask;
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::ring_bytes::RingBytes;
use crate::ring_memory::{Areas, RingMemory};
use crate::setup::{self, RingConfig, StepDowns};

impl Ring {
    /// Makes a ring. Its descriptor has close-on-exec set.
    ///
    /// # Errors
    /// EINVAL for a configuration that the kernel refuses (the fields of [`RingConfig`] say
    /// which), ENOMEM, EMFILE, ENFILE, EPERM and the others of `io_uring_setup`(2); ENOSYS also
    /// for a kernel without SINGLE_MMAP.
    ///
    /// # Kernel
    /// Since 5.4; flags that are newer are given up, see [`Ring::step_downs`].
    pub fn new(config: &RingConfig) -> Result<Ring, Errno> {
        Ring::open(config, None)
    }

    /// As [`new`](Ring::new), with the queues in memory that the caller brings (NO_MMAP), of at
    /// least [`RingMemory::bytes_for`] bytes.
    ///
    /// ```
    /// use annulus_ring::{Errno, Ring, RingConfig, RingMemory};
    ///
    /// let config = RingConfig {
    ///     registered_fd_only: true,
    ///     ..RingConfig::default()
    /// };
    /// let memory = RingMemory::new(RingMemory::bytes_for(&config)?)?;
    /// match Ring::on_memory(&config, memory) {
    ///     Ok(ring) => assert_eq!(ring.fd(), -1), // no descriptor at all
    ///     Err(errno) => assert_eq!(errno, Errno::EINVAL), // before 6.5
    /// }
    /// # Ok::<(), Errno>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Ring::new); ENOMEM also if there is not enough memory; EINVAL before 6.10 for
    /// queues of more than one page that are not in one huge page.
    ///
    /// # Kernel
    /// Since 6.5.
    pub fn on_memory(config: &RingConfig, memory: RingMemory) -> Result<Ring, Errno> {
        Ring::open(config, Some(memory))
    }
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// As [`Ring::new`], with the entries that the type names.
    ///
    /// ```
    /// use annulus_ring::{Cqe32, Ring, RingConfig, Sqe128};
    ///
    /// match Ring::<Sqe128, Cqe32>::with_entries(&RingConfig::default()) {
    ///     Ok(mut ring) => {
    ///         ring.get_sqe().expect("empty").prep_nop().set_user_data(7);
    ///         ring.submit_and_wait(1)?;
    ///         assert_eq!(ring.pop().expect("waited for").user_data(), 7);
    ///     }
    ///     Err(_) => {} // not before Linux 5.19
    /// }
    /// # Ok::<(), annulus_ring::Errno>(())
    /// ```
    ///
    /// # Errors
    /// As [`Ring::new`]; EINVAL where the kernel does not know such entries.
    ///
    /// # Kernel
    /// [`Sqe128`](crate::Sqe128) and [`Cqe32`](crate::Cqe32) since 5.19,
    /// [`MixedCqes`](crate::MixedCqes) since 6.18, [`MixedSqes`](crate::MixedSqes) since 6.19.
    pub fn with_entries(config: &RingConfig) -> Result<Ring<S, C>, Errno> {
        Ring::open(config, None)
    }

    /// As [`Ring::on_memory`], with the entries that the type names, in at least
    /// [`RingMemory::bytes_for_entries`] bytes.
    ///
    /// # Errors
    /// As [`Ring::on_memory`] and [`with_entries`](Ring::with_entries).
    ///
    /// # Kernel
    /// Since 6.5, and as [`with_entries`](Ring::with_entries).
    pub fn with_entries_on(config: &RingConfig, memory: RingMemory) -> Result<Ring<S, C>, Errno> {
        Ring::open(config, Some(memory))
    }

    fn open(config: &RingConfig, memory: Option<RingMemory>) -> Result<Ring<S, C>, Errno> {
        let origin = Origin::current()?;
        let entry_flags = S::SETUP_FLAG | C::SETUP_FLAG;
        let areas = match &memory {
            Some(memory) => {
                let most = config.most_bytes(entry_flags).ok_or(Errno::EINVAL)?;
                Some(memory.split(most)?)
            }
            None => None,
        };
        // SAFETY: the areas are parts of `memory`, of the size that was asked for, and `memory`
        // goes into the ring, or is dropped after it is closed.
        let new = unsafe { setup::set_up(config, entry_flags, areas.as_ref()) }?;
        // From here on dropping `guard` closes the ring.
        let guard = CloseOnDrop(Some(Arc::new(Handle::new(new.name, origin, config.mask))));
        let params = new.params;
        if params.features & IORING_FEAT_SINGLE_MMAP == 0 {
            return Err(Errno::ENOSYS);
        }
        let areas = match (areas, guard.name()) {
            (Some(areas), _) => areas,
            (None, Some(Name::Fd(fd))) => map(*fd, &params, origin)?,
            // The kernel grants an index only to rings in memory of the caller's.
            (None, _) => return Err(Errno::EINVAL),
        };
        // SAFETY: both areas are this ring's.
        let mut ring = unsafe { Ring::assemble(guard.keep(), params, new.step_downs, areas) };
        ring._memory = memory;
        Ok(ring)
    }

    /// A ring of these areas.
    ///
    /// # Safety
    /// They are those that `params` describes, stay until the ring is dropped, and are no other
    /// ring's.
    unsafe fn assemble(
        handle: Arc<Handle>,
        params: io_uring_params,
        step_downs: StepDowns,
        areas: Areas,
    ) -> Ring<S, C> {
        let Areas {
            queues: rings,
            sqes: slots,
        } = areas;
        // SAFETY: both maps are this ring's, are dropped after the queue, and this is the one.
        let sq = unsafe { SubmissionQueue::new(&rings, &slots, &params) };
        // SAFETY: as above.
        let cq = unsafe { CompletionQueue::new(&rings, &params) };
        Ring {
            sq,
            cq,
            registered: match handle.name() {
                Name::Index(registered) => Some(*registered),
                _ => None,
            },
            enter_flags: if params.features & IORING_FEAT_NO_IOWAIT != 0 {
                IORING_ENTER_NO_IOWAIT
            } else {
                0
            },
            params,
            step_downs,
            handle,
            _rings: rings,
            _slots: slots,
            _memory: None,
        }
    }
}

#[cfg(feature = "std")]
impl Ring {
    /// A ring whose kernel's side is in this process.
    pub(crate) fn with_user_side(side: Arc<UserSide>, origin: Origin, mask: Mask) -> Ring {
        let memory = Arc::clone(side.memory());
        let (queues, sqes) = (&memory.rings, &memory.slots);
        let areas = Areas {
            queues: queues.part(0, queues.size_bytes()),
            sqes: sqes.part(0, sqes.size_bytes()),
        };
        let handle = Handle::new(Name::UserSide(side), origin, mask);
        // SAFETY: the handle keeps the memory, of which each kernel's side has one ring.
        unsafe { Ring::assemble(Arc::new(handle), memory.params, StepDowns::none(), areas) }
    }
}

/// Maps both areas of the ring `fd`.
pub(super) fn map(fd: i32, params: &io_uring_params, origin: Origin) -> Result<Areas, Errno> {
    let bytes = RingBytes::granted(params);
    Ok(Areas {
        queues: Map::ring(fd, bytes.queues(), IORING_OFF_SQ_RING, origin)?,
        sqes: Map::ring(fd, bytes.sqes(), IORING_OFF_SQES, origin)?,
    })
}

/// Closes a ring that does not come about.
struct CloseOnDrop(Option<Arc<Handle>>);

impl CloseOnDrop {
    fn name(&self) -> Option<&Name> {
        self.0.as_deref().map(Handle::name)
    }

    fn keep(mut self) -> Arc<Handle> {
        self.0.take().expect("kept once, as it is consumed")
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.close();
        }
    }
}
