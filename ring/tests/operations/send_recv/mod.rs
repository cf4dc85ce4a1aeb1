//! Sends and receives: streams and datagrams, plain and with message headers, waiting for all,
//! peeking, and the memory that goes with them.

mod all;
mod datagrams;
mod messages;
mod streams;

use annulus_ring::{Errno, Ring};

use crate::support::result;

/// A message header that owns what it points to, but the buffers.
struct Message {
    header: Box<libc::msghdr>,
    vectors: Vec<libc::iovec>,
    name: Box<libc::sockaddr_storage>,
    control: Vec<u64>,
}

impl Message {
    /// A header for these buffers, with no room for a name or control data.
    ///
    /// # Safety
    /// The buffers outlive every operation with this message.
    unsafe fn of(buffers: &mut [&mut [u8]]) -> Message {
        let mut vectors: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            })
            .collect();
        let header = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
        // SAFETY: an all-zero header is one of nothing.
        let header = libc::msghdr {
            msg_iov: vectors.as_mut_ptr(),
            msg_iovlen: vectors.len(),
            ..unsafe { header.assume_init() }
        };
        let name = std::mem::MaybeUninit::<libc::sockaddr_storage>::zeroed();
        Message {
            header: Box::new(header),
            vectors,
            // SAFETY: every bit pattern is a sockaddr_storage.
            name: Box::new(unsafe { name.assume_init() }),
            control: Vec::new(),
        }
    }

    /// Room for the name of the sender.
    fn with_room_for_name(mut self) -> Message {
        self.header.msg_name = (&raw mut *self.name).cast();
        self.header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
        self
    }

    /// Room for `len` bytes of control data.
    fn with_room_for_control(mut self, len: usize) -> Message {
        self.control = vec![0; len.div_ceil(8)];
        self.header.msg_control = self.control.as_mut_ptr().cast();
        self.header.msg_controllen = len;
        self
    }

    fn at(&mut self) -> *mut std::ffi::c_void {
        (&raw mut *self.header).cast()
    }
}

fn sendmsg(ring: &mut Ring, fd: i32, message: &mut Message, flags: i32) -> Result<u32, Errno> {
    let at = message.at();
    // SAFETY: the message and, as promised when it was made, its buffers outlive the completion.
    result(ring, |sqe| unsafe { sqe.prep_sendmsg(fd, at, flags) })
}

fn recvmsg(ring: &mut Ring, fd: i32, message: &mut Message, flags: i32) -> Result<u32, Errno> {
    let at = message.at();
    // SAFETY: the message and, as promised when it was made, its buffers outlive the completion.
    result(ring, |sqe| unsafe { sqe.prep_recvmsg(fd, at, flags) })
}
