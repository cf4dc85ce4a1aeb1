//! `SendGroup`: data queued in a buffer ring, sent in order by one operation after another.
//!
//! ```text
//!   queue:    | sent, free again | stranded | still the kernel's | ...  <-- queue(data)
//!                                ^          ^                    ^
//!             what a send told of|          |kernel's head       |tail
//! ```
//!
//! A send takes all buffers that are queued before it tries, up to as many as fit one call. One
//! that comes short, because the connection failed or it was cancelled, leaves what it took and
//! did not send *stranded*: the kernel goes on behind it. Its head tells how much that is.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::feat::IORING_FEAT_RECVSEND_BUNDLE;

use crate::buf_ring::{BufRing, BufRingConfig};
use crate::cqe::Cqe;
use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;
use crate::sqe::Sqe;

/// A group of buffers that holds data to be sent, in order.
///
/// One send is under way at a time: two could overtake each other. Dropping the group while one is
/// leaks its memory, as the kernel may still read it.
///
/// ```
/// use std::io::Read;
/// use std::os::fd::AsRawFd;
/// use annulus_ring::{Ring, RingConfig, SendGroup};
///
/// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let Ok(mut group) = SendGroup::new(&ring, 0, 8, 4) else {
///     return Ok(()); // before 6.10
/// };
/// let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
/// assert_eq!(group.queue(b"first, "), 7);
/// assert_eq!(group.queue(b"second"), 6);
/// group.send(ring.get_sqe().expect("empty"), ours.as_raw_fd(), 0)?;
/// ring.submit_and_wait(1)?;
/// let sent = group.sent(&ring.pop().expect("waited for"))?;
/// assert_eq!((sent.bytes, sent.stranded_bytes), (13, 0));
/// let mut got = [0; 13];
/// theirs.read_exact(&mut got)?;
/// assert_eq!(&got, b"first, second");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SendGroup {
    ring: BufRing,
    /// What is not sent, in order.
    queue: VecDeque<Queued>,
    free: Vec<u16>,
    is_sending: bool,
}

/// What a completion of a [`SendGroup`] told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How many bytes it sent; 0 with an error.
    pub bytes: u32,
    /// Whether more completions of the same send follow.
    pub more: bool,
    /// How many bytes the kernel took and did not send, this time and before:
    /// [`SendGroup::requeue`] puts them in front again. Told with the last completion.
    pub stranded_bytes: u64,
}

/// One buffer with data.
#[derive(Clone, Copy, Debug)]
struct Queued {
    id: u16,
    /// What of it is sent already.
    offset: u32,
    len: u32,
}

impl Queued {
    fn left(&self) -> u32 {
        self.len - self.offset
    }
}

impl SendGroup {
    /// Makes `count` empty buffers (a power of two, at most 32,768) of `size_bytes` each and
    /// registers them as `group` of `ring`.
    ///
    /// # Errors
    /// As [`BufRing::new`]; EINVAL also on a kernel without `IORING_FEAT_RECVSEND_BUNDLE`.
    ///
    /// # Kernel
    /// Since 6.10.
    pub fn new<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        group: u16,
        count: u16,
        size_bytes: u32,
    ) -> Result<SendGroup, Errno> {
        if ring.features() & IORING_FEAT_RECVSEND_BUNDLE == 0 {
            return Err(Errno::EINVAL);
        }
        let config = BufRingConfig::new(group, count, size_bytes);
        Ok(SendGroup {
            ring: BufRing::empty(ring, &config)?,
            queue: VecDeque::with_capacity(usize::from(count)),
            // The last is used first.
            free: (0..count).rev().collect(),
            is_sending: false,
        })
    }

    /// Copies as much of `data` into free buffers as fits, behind what is queued, and returns how
    /// many bytes that is. A buffer holds data of one call only.
    pub fn queue(&mut self, data: &[u8]) -> usize {
        let size_bytes = self.ring.memory().size_bytes();
        let mut rest = data;
        while !rest.is_empty() {
            let Some(id) = self.free.pop() else {
                break;
            };
            let len = rest.len().min(size_bytes as usize);
            let start = self.ring.memory().start(id).as_ptr();
            // SAFETY: the buffer has `len` bytes and is free, so nobody else's; `data` does not
            // lie in it, as nobody is given a reference to it.
            unsafe { start.copy_from_nonoverlapping(rest.as_ptr(), len) };
            let queued = Queued {
                id,
                offset: 0,
                len: len as u32,
            };
            self.push(queued);
            self.queue.push_back(queued);
            rest = &rest[len..];
        }
        self.ring.publish();
        data.len() - rest.len()
    }

    /// Prepares `send`(2) with `MSG_*` flags of everything that is queued when it starts; what is
    /// queued while it runs may go with it. It completes with ENOBUFS if there is nothing.
    ///
    /// # Errors
    /// EBUSY if a send is under way.
    pub fn send<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        if self.is_sending {
            return Err(Errno::EBUSY);
        }
        self.is_sending = true;
        // SAFETY: the buffers are the group's; it leaks them while the send is under way.
        let sqe = unsafe { sqe.prep_send_select(fd, 0, flags, self.ring.group()) };
        Ok(sqe.set_bundle())
    }

    /// Notes a completion of the send that is under way, told in order: what it sent is free. The
    /// result of the operation is [`Cqe::result`].
    ///
    /// # Errors
    /// EINVAL if no send is under way; EPROTO if it sent more than is queued; those of
    /// [`BufRing::head`], which a send that comes short asks for.
    pub fn sent(&mut self, cqe: &Cqe) -> Result<Sent, Errno> {
        if !self.is_sending {
            return Err(Errno::EINVAL);
        }
        self.is_sending = cqe.more();
        let bytes = cqe.result().unwrap_or(0);
        self.release(bytes)?;
        let mut stranded_bytes = 0;
        if !cqe.more() && !self.queue.is_empty() {
            stranded_bytes = self.stranded_bytes()?;
        }
        Ok(Sent {
            bytes,
            more: cqe.more(),
            stranded_bytes,
        })
    }

    /// Hands everything that is not sent to the kernel again, in order, what is stranded first.
    ///
    /// # Errors
    /// EBUSY if a send is under way; those of [`BufRing::head`].
    pub fn requeue(&mut self) -> Result<(), Errno> {
        self.retract()?;
        for at in 0..self.queue.len() {
            self.push(self.queue[at]);
        }
        self.ring.publish();
        Ok(())
    }

    /// Takes everything back that is not sent, stranded or not, and returns it in order. The group
    /// is empty then.
    ///
    /// # Errors
    /// As [`requeue`](SendGroup::requeue).
    pub fn take_unsent(&mut self) -> Result<Vec<u8>, Errno> {
        self.retract()?;
        let mut unsent = Vec::new();
        for queued in self.queue.drain(..) {
            // SAFETY: the kernel has let go of the buffer, whose first `len` bytes were written.
            let bytes = unsafe { self.ring.memory().bytes(queued.id, queued.len as usize) };
            unsent.extend_from_slice(&bytes[queued.offset as usize..]);
            self.free.push(queued.id);
        }
        Ok(unsent)
    }

    /// How many bytes are queued and not sent, as far as completions have told.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.queue
            .iter()
            .map(|queued| u64::from(queued.left()))
            .sum()
    }

    /// How many buffers are free; each takes data of one [`queue`](SendGroup::queue).
    #[must_use]
    pub fn free(&self) -> u16 {
        self.free.len() as u16
    }

    /// Whether a send is under way.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.is_sending
    }

    /// The ring of buffers below.
    #[must_use]
    pub fn buf_ring(&self) -> &BufRing {
        &self.ring
    }

    fn release(&mut self, bytes: u32) -> Result<(), Errno> {
        let mut rest = bytes;
        while rest != 0 {
            let front = self.queue.front_mut().ok_or(Errno::EPROTO)?;
            let sent = rest.min(front.left());
            front.offset += sent;
            rest -= sent;
            if front.left() == 0 {
                self.free.push(front.id);
                self.queue.pop_front();
            }
        }
        Ok(())
    }

    /// How many buffers the kernel would take from next; the last ones of the queue.
    fn in_kernel(&self) -> Result<u16, Errno> {
        Ok(self.ring.tail().wrapping_sub(self.ring.head()?))
    }

    fn stranded_bytes(&self) -> Result<u64, Errno> {
        let in_kernel = usize::from(self.in_kernel()?);
        let stranded = self.queue.len().saturating_sub(in_kernel);
        let stranded = self.queue.iter().take(stranded);
        Ok(stranded.map(|queued| u64::from(queued.left())).sum())
    }

    fn retract(&mut self) -> Result<(), Errno> {
        if self.is_sending {
            return Err(Errno::EBUSY);
        }
        let in_kernel = self.in_kernel()?;
        // SAFETY: nothing selects from the group while no send is under way.
        unsafe { self.ring.retract(in_kernel) };
        Ok(())
    }

    /// Shows the kernel what is left of a buffer, with the next `publish`.
    fn push(&mut self, queued: Queued) {
        let Queued { id, offset, len } = queued;
        // SAFETY: the kernel does not have the buffer: it was free, or has been retracted; and
        // what of it was written is to be sent.
        unsafe { self.ring.push_part(id, offset, len - offset) };
    }
}

impl Drop for SendGroup {
    fn drop(&mut self) {
        if self.is_sending {
            core::mem::forget(self.ring.memory().clone());
        }
    }
}
