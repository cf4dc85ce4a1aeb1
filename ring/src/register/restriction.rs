//! What a ring may do from now on, for one that is handed to less trusted code.
//!
//! ```text
//!   disabled --restrict--> disabled, restricted --enable--> enabled: only what is allowed
//! ```

use alloc::vec::Vec;

use annulus_syscalls::io_uring::register::flags::{
    IORING_RESTRICTION_REGISTER_OP, IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
    IORING_RESTRICTION_SQE_FLAGS_REQUIRED, IORING_RESTRICTION_SQE_OP,
};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_PBUF_RING, IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_RING_FDS,
    IORING_REGISTER_SYNC_CANCEL, IORING_UNREGISTER_PBUF_RING, IORING_UNREGISTER_RING_FDS,
};
use annulus_syscalls::io_uring::register::{io_uring_restriction, io_uring_task_restriction};
use annulus_syscalls::{Errno, calls};

use crate::entries::{CqEntry, SqEntry};
use crate::opcode::Opcode;
use crate::ring::Ring;
use crate::sqe::SqeFlags;

/// One thing that is allowed, or demanded. What no entry allows is refused with EACCES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// This registration (`IORING_REGISTER_*`) is allowed.
    Register(u8),
    /// This operation is allowed.
    Op(Opcode),
    /// Operations may have these flags, besides those that are demanded.
    FlagsAllowed(SqeFlags),
    /// Operations must have these flags.
    FlagsRequired(SqeFlags),
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Lets the ring do only what `restrictions` allow, once it is [enabled](Ring::enable). That
    /// is for good.
    ///
    /// ```
    /// use annulus_ring::{Errno, Opcode, Restriction, Ring, RingConfig};
    ///
    /// let config = RingConfig { disabled: true, ..RingConfig::default() };
    /// let Ok(mut ring) = Ring::new(&config) else {
    ///     return Ok(()); // io_uring is not to be had here
    /// };
    /// ring.restrict(&[Restriction::Op(Opcode::NOP)])?;
    /// ring.enable()?;
    /// ring.get_sqe().expect("empty").prep_shutdown(0, 2);
    /// ring.submit_and_wait(1)?;
    /// assert_eq!(ring.pop().expect("waited for").result(), Err(Errno::EACCES));
    /// # Ok::<(), Errno>(())
    /// ```
    ///
    /// # Errors
    /// EBADFD if the ring does not start disabled, or was enabled; EBUSY if it is restricted;
    /// EINVAL for more entries than there are things to allow, and for numbers that the kernel
    /// does not know; ENOMEM; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.10.
    pub fn restrict(&self, restrictions: &[Restriction]) -> Result<(), Errno> {
        let entries: Vec<io_uring_restriction> = restrictions.iter().map(entry).collect();
        let arg = entries.as_ptr().expose_provenance();
        let count = u32::try_from(entries.len()).map_err(|_| Errno::EINVAL)?;
        // SAFETY: `arg` is `count` entries, which this registration reads.
        let done = unsafe { self.register(IORING_REGISTER_RESTRICTIONS, arg, count) };
        done.map(drop)
    }
}

impl Restriction {
    /// What [`Ring::register_ring_fd`] and its undoing need.
    pub const RING_FD: [Restriction; 2] = [
        Restriction::Register(IORING_REGISTER_RING_FDS as u8),
        Restriction::Register(IORING_UNREGISTER_RING_FDS as u8),
    ];
    /// What making and dropping a [`BufRing`](crate::BufRing) needs.
    pub const BUF_RING: [Restriction; 2] = [
        Restriction::Register(IORING_REGISTER_PBUF_RING as u8),
        Restriction::Register(IORING_UNREGISTER_PBUF_RING as u8),
    ];
    /// What [`RingRef::sync_cancel`](crate::RingRef::sync_cancel) and its kin need.
    pub const SYNC_CANCEL: Restriction = Restriction::Register(IORING_REGISTER_SYNC_CANCEL as u8);

    /// Lets every ring that the calling thread, or a child of it, makes from now on do only what
    /// `restrictions` allow. That is for good.
    ///
    /// # Errors
    /// EINVAL before 7.0, for more entries than there are things to allow, and for numbers that
    /// the kernel does not know; EPERM if the thread is restricted; EACCES without CAP_SYS_ADMIN
    /// if the thread may gain privileges (PR_SET_NO_NEW_PRIVS); ENOMEM.
    ///
    /// # Kernel
    /// Since 7.0.
    pub fn apply_to_thread(restrictions: &[Restriction]) -> Result<(), Errno> {
        let head = io_uring_task_restriction {
            nr_res: u16::try_from(restrictions.len()).map_err(|_| Errno::EINVAL)?,
            ..io_uring_task_restriction::default()
        };
        // The head has the size of an entry, so that the entries follow it in one array.
        let mut request = Vec::with_capacity(1 + restrictions.len());
        request.push(Part { head });
        request.extend(restrictions.iter().map(|one| Part { entry: entry(one) }));
        let arg = request.as_ptr().expose_provenance();
        // SAFETY: `arg` is the head with as many entries as it says; -1 stands for no ring.
        let done = unsafe { calls::io_uring_register(-1, IORING_REGISTER_RESTRICTIONS, arg, 1) };
        done.map(drop)
    }
}

/// The head of the restrictions of a thread, or an entry.
#[repr(C)]
union Part {
    head: io_uring_task_restriction,
    entry: io_uring_restriction,
}

const _: () = assert!(size_of::<io_uring_task_restriction>() == size_of::<io_uring_restriction>());

fn entry(restriction: &Restriction) -> io_uring_restriction {
    // The second place means what the first says.
    let (opcode, value) = match restriction {
        Restriction::Register(opcode) => (IORING_RESTRICTION_REGISTER_OP, *opcode),
        Restriction::Op(opcode) => (IORING_RESTRICTION_SQE_OP, opcode.0),
        Restriction::FlagsAllowed(flags) => (IORING_RESTRICTION_SQE_FLAGS_ALLOWED, flags.bits()),
        Restriction::FlagsRequired(flags) => (IORING_RESTRICTION_SQE_FLAGS_REQUIRED, flags.bits()),
    };
    io_uring_restriction {
        opcode,
        register_op: value,
        ..io_uring_restriction::default()
    }
}
