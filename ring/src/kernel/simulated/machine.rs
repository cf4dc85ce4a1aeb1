//! A host as a world for operations: what each one does to simulated objects.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use std::collections::VecDeque;
use std::os::fd::IntoRawFd;
use std::vec::Vec;

use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_sqe, op};
use annulus_syscalls::{Errno, calls};
use socket2::{SockAddr, SockAddrStorage};

use super::address::Address;
use super::calls::{Sink, kind_of};
use super::faults::Fault;
use super::lent::Lent;
use super::network::HostId;
use super::state::{Letter, Parts};
use super::world::{Body, Id};
use crate::kernel::engine::{Args, Attempt, Clock, Key, Operation, Selected, World};
use crate::opcode::Opcode;

const POLLIN: u32 = libc::POLLIN as u32;
const POLLOUT: u32 = libc::POLLOUT as u32;

/// A ring's view of its host.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) parts: &'a mut Parts,
    pub(super) host: HostId,
    pub(super) ring: Id,
}

/// Whether an operation is simulated.
pub(super) fn is_simulated(opcode: Opcode) -> bool {
    const SIMULATED: [u8; 27] = [
        op::IORING_OP_NOP,
        op::IORING_OP_POLL_ADD,
        op::IORING_OP_POLL_REMOVE,
        op::IORING_OP_TIMEOUT,
        op::IORING_OP_TIMEOUT_REMOVE,
        op::IORING_OP_LINK_TIMEOUT,
        op::IORING_OP_ASYNC_CANCEL,
        op::IORING_OP_MSG_RING,
        op::IORING_OP_RECV,
        op::IORING_OP_SEND,
        op::IORING_OP_SEND_ZC,
        op::IORING_OP_READ,
        op::IORING_OP_READV,
        op::IORING_OP_WRITE,
        op::IORING_OP_WRITEV,
        op::IORING_OP_ACCEPT,
        op::IORING_OP_CONNECT,
        op::IORING_OP_CLOSE,
        op::IORING_OP_SHUTDOWN,
        op::IORING_OP_LISTEN,
        op::IORING_OP_SOCKET,
        op::IORING_OP_FSYNC,
        op::IORING_OP_OPENAT,
        op::IORING_OP_UNLINKAT,
        op::IORING_OP_MKDIRAT,
        op::IORING_OP_RENAMEAT,
        op::IORING_OP_LINKAT,
    ];
    SIMULATED.contains(&opcode.0) || opcode == Opcode::SYMLINKAT
}

fn failed(errno: Errno) -> Attempt {
    Attempt::Done(-errno.raw(), 0)
}

/// What a call has come to, where EAGAIN means to wait for `mask`.
fn done(result: Result<usize, Errno>, mask: u32) -> Attempt {
    match result {
        Ok(count) => Attempt::Done(count as i32, 0),
        Err(Errno::EAGAIN) => Attempt::Wait(mask),
        Err(errno) => failed(errno),
    }
}

impl Machine<'_> {
    /// The object that an operation is about.
    fn object(&self, key: Key, op: &Operation) -> Result<Id, Errno> {
        match self.parts.waiting.object(self.ring, key) {
            Some(object) => Ok(object),
            None => self.parts.descriptors.object(op.sqe.fd),
        }
    }

    fn try_one(&mut self, key: Key, op: &mut Operation) -> Result<Attempt, Errno> {
        let sqe = op.sqe;
        Ok(match sqe.opcode {
            op::IORING_OP_RECV => self.recv(key, op)?,
            op::IORING_OP_SEND | op::IORING_OP_SEND_ZC => self.send(key, op)?,
            op::IORING_OP_READ | op::IORING_OP_READV if self.is_simulated(&sqe) => {
                self.recv(key, op)?
            }
            op::IORING_OP_WRITE | op::IORING_OP_WRITEV if self.is_simulated(&sqe) => {
                self.send(key, op)?
            }
            op::IORING_OP_ACCEPT => self.accept(key, op)?,
            op::IORING_OP_CONNECT => self.connect(key, op)?,
            op::IORING_OP_CLOSE => self.close(&sqe),
            op::IORING_OP_SHUTDOWN => {
                let object = self.object(key, op)?;
                self.parts.world.shutdown(object, sqe.len as i32)?;
                Attempt::Done(0, 0)
            }
            op::IORING_OP_LISTEN => {
                let object = self.object(key, op)?;
                self.parts.world.listen(object, sqe.len as i32)?;
                Attempt::Done(0, 0)
            }
            op::IORING_OP_SOCKET => {
                let kind = kind_of(sqe.off as i32, sqe.len as i32)?;
                let object = self.parts.world.socket(self.host, sqe.fd, kind)?;
                Attempt::Done(self.parts.name(object)?.into_raw_fd(), 0)
            }
            op::IORING_OP_READ
            | op::IORING_OP_READV
            | op::IORING_OP_WRITE
            | op::IORING_OP_WRITEV
            | op::IORING_OP_FSYNC
            | op::IORING_OP_OPENAT
            | op::IORING_OP_UNLINKAT
            | op::IORING_OP_MKDIRAT
            | op::IORING_OP_RENAMEAT
            | op::IORING_OP_LINKAT
            | op::IORING_OP_SYMLINKAT => Attempt::Offload,
            opcode => {
                self.parts.leave(Opcode(opcode));
                failed(Errno::EOPNOTSUPP)
            }
        })
    }

    /// Whether a descriptor is of the world: others are files.
    fn is_simulated(&self, sqe: &io_uring_sqe) -> bool {
        self.parts.descriptors.object(sqe.fd).is_ok()
    }

    fn recv(&mut self, key: Key, op: &mut Operation) -> Result<Attempt, Errno> {
        let object = self.object(key, op)?;
        let mut buffers = Scattered::new(op);
        let room = buffers.left();
        if let Body::Counter(count) = &mut self.parts.world.object(object)?.body {
            if *count == 0 {
                return Ok(Attempt::Wait(POLLIN));
            }
            if room < size_of::<u64>() {
                return Err(Errno::EINVAL);
            }
            let bytes = std::mem::take(count).to_ne_bytes();
            self.uncover(key, op);
            buffers.take(&bytes);
            return Ok(Attempt::Done(bytes.len() as i32, 0));
        }
        let peek =
            op.sqe.opcode == op::IORING_OP_RECV && op.sqe.op_flags as i32 & libc::MSG_PEEK != 0;
        let Parts { world, lent, .. } = &mut *self.parts;
        let received = world.recv(object, room, peek, |part| {
            if !part.is_empty() {
                uncover(lent, self.ring, key, op);
                buffers.take(part);
            }
        });
        Ok(done(received.map(|(count, _)| count), POLLIN))
    }

    /// Data is about to be written to the operation's memory.
    fn uncover(&mut self, key: Key, op: &Operation) {
        uncover(&mut self.parts.lent, self.ring, key, op);
    }

    fn send(&mut self, key: Key, op: &mut Operation) -> Result<Attempt, Errno> {
        let object = self.object(key, op)?;
        if op.selected.is_some() {
            self.uncover(key, op);
        }
        let gathered;
        let bytes = match &op.args {
            Args::Iov(parts) => {
                gathered = parts
                    .iter()
                    .flat_map(bytes_of)
                    .copied()
                    .collect::<Vec<u8>>();
                &gathered[..]
            }
            _ => {
                let (address, len) = op.buffer();
                bytes_at(address, len)
            }
        };
        let bytes = &bytes[op.done as usize..];
        let sent = self.parts.world.send(object, bytes, None);
        if let Ok(count) = sent {
            op.done += count as u32;
            let whole = op.sqe.op_flags as i32 & libc::MSG_WAITALL != 0;
            if whole && count < bytes.len() {
                return Ok(Attempt::Wait(POLLOUT));
            }
            return Ok(Attempt::Done(op.done as i32, 0));
        }
        if op.done > 0 && sent != Err(Errno::EAGAIN) {
            return Ok(Attempt::Done(op.done as i32, 0));
        }
        Ok(done(sent, POLLOUT))
    }

    fn accept(&mut self, key: Key, op: &Operation) -> Result<Attempt, Errno> {
        let object = self.object(key, op)?;
        let (accepted, peer) = match self.parts.world.accept(object) {
            Ok(accepted) => accepted,
            Err(errno) => return Ok(done(Err(errno), POLLIN)),
        };
        let fd = self.parts.name(accepted)?;
        if op.sqe.addr != 0 {
            self.uncover(key, op);
            let peer = peer.to_sock_addr();
            let room = with_exposed_provenance_mut::<u32>(op.sqe.off as usize);
            // SAFETY: the length is lent to this operation until its last CQE.
            let len = unsafe { room.read() }.min(peer.len());
            let to = with_exposed_provenance_mut::<u8>(op.sqe.addr as usize);
            // SAFETY: the place of the address is lent likewise, with that length.
            unsafe { to.copy_from(peer.as_ptr().cast(), len as usize) };
            // SAFETY: as above.
            unsafe { room.write(peer.len()) };
        }
        Ok(Attempt::Done(fd.into_raw_fd(), 0))
    }

    fn connect(&mut self, key: Key, op: &mut Operation) -> Result<Attempt, Errno> {
        let object = self.object(key, op)?;
        let Args::Address(bytes, len) = &op.args else {
            return Err(Errno::EFAULT);
        };
        let mut storage = SockAddrStorage::zeroed();
        let room = (storage.size_of() as usize).min(bytes.len());
        let to = (&raw mut storage).cast::<u8>();
        // SAFETY: there is room for as many bytes as the shorter of the two has.
        unsafe { to.copy_from(bytes.as_ptr(), room) };
        // SAFETY: the bytes are those of an address of this length, whose family is checked.
        let address = Address::of(&unsafe { SockAddr::new(storage, *len) })?;
        let begun = std::mem::replace(&mut op.begun, true);
        Ok(match self.parts.world.connect(object, &address) {
            Ok(()) => Attempt::Done(0, 0),
            Err(Errno::EISCONN) if begun => Attempt::Done(0, 0),
            Err(Errno::EINPROGRESS | Errno::EALREADY) => Attempt::Wait(POLLOUT),
            Err(errno) => failed(errno),
        })
    }

    fn close(&mut self, sqe: &io_uring_sqe) -> Attempt {
        if let Some(object) = self.parts.descriptors.forget(sqe.fd) {
            self.parts.world.close(object);
        }
        // SAFETY: whoever submits a CLOSE answers for the number. Not by the C library, whose
        // `close` comes back here.
        match unsafe { calls::close(sqe.fd) } {
            Ok(()) => Attempt::Done(0, 0),
            Err(errno) => failed(errno),
        }
    }
}

fn uncover(lent: &mut Lent, ring: Id, key: Key, op: &Operation) {
    match op.selected {
        Some(selected) => lent.uncover_buffer(ring, op.sqe.buf_index, selected.id),
        None => lent.uncover(ring, key),
    }
}

/// Bytes that an operation reads.
fn bytes_at<'a>(address: u64, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    let start = with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the memory is lent to this operation until its last CQE.
    unsafe { core::slice::from_raw_parts(start, len) }
}

fn bytes_of<'a>(part: &libc::iovec) -> &'a [u8] {
    bytes_at(part.iov_base.expose_provenance() as u64, part.iov_len)
}

/// The memory of an operation that receives, which is filled from its start.
struct Scattered(VecDeque<(*mut u8, usize)>);

impl Scattered {
    fn new(op: &Operation) -> Scattered {
        let (address, len) = op.buffer();
        Scattered(match &op.args {
            Args::Iov(parts) => {
                let parts = parts.iter();
                parts
                    .map(|part| (part.iov_base.cast(), part.iov_len))
                    .collect()
            }
            _ => [(with_exposed_provenance_mut(address as usize), len)].into(),
        })
    }

    fn left(&self) -> usize {
        self.0.iter().map(|(_, len)| len).sum()
    }
}

impl Sink for Scattered {
    /// # Panics
    /// If there are more bytes than there is room.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (start, room) = self.0.front_mut().expect("there is room");
            let (now, later) = bytes.split_at(bytes.len().min(*room));
            // SAFETY: the memory is lent to this operation until its last CQE, or is the buffer
            // that was selected for it; there is room for as many bytes.
            unsafe { start.copy_from(now.as_ptr(), now.len()) };
            *start = start.wrapping_add(now.len());
            *room -= now.len();
            bytes = later;
            if *room == 0 {
                self.0.pop_front();
            }
        }
    }
}

impl World for Machine<'_> {
    fn attempt(&mut self, key: Key, op: &mut Operation, _ready: bool) -> Attempt {
        self.try_one(key, op).unwrap_or_else(failed)
    }

    fn arm(&mut self, key: Key, fd: i32, mask: u32) -> Result<(), Errno> {
        let object = match self.parts.waiting.object(self.ring, key) {
            Some(object) => object,
            None => self.parts.descriptors.object(fd)?,
        };
        let Parts { world, waiting, .. } = &mut *self.parts;
        waiting.arm(world, self.ring, key, object, mask)
    }

    fn readiness(&mut self, fd: i32, _mask: u32) -> u32 {
        let object = self.parts.descriptors.object(fd);
        let ready = object.and_then(|object| self.parts.world.readiness(object));
        ready.unwrap_or(0)
    }

    fn disarm(&mut self, key: Key, _fd: i32) {
        let Parts { world, waiting, .. } = &mut *self.parts;
        waiting.disarm(world, self.ring, key);
    }

    fn offload(&mut self, key: Key, op: Operation) {
        self.parts.start_job(self.ring, self.host, key, op);
    }

    fn recall(&mut self, key: Key) -> bool {
        self.parts.recall_job(self.ring, key)
    }

    fn take_evicted(&mut self) -> Option<Key> {
        None
    }

    fn message(&mut self, fd: i32, user_data: u64, res: i32, flags: u32) -> Result<(), Errno> {
        let ring = self
            .parts
            .descriptors
            .object(fd)
            .map_err(|_| Errno::EBADFD)?;
        let letter = Letter::Message {
            user_data,
            res,
            flags,
        };
        self.parts.post(ring, letter)
    }

    fn now_ns(&self, _clock: Clock) -> u64 {
        self.parts.world.now_ns()
    }

    fn watches(&self) -> bool {
        true
    }

    fn lend(&mut self, key: Key, op: &Operation) {
        self.parts.lent.lend(self.ring, key, op);
    }

    fn lend_buffers(&mut self, group: u16, buffers: &[Selected]) {
        self.parts.lent.lend_buffers(self.ring, group, buffers);
    }

    fn forget_group(&mut self, group: u16) {
        self.parts.lent.forget_group(self.ring, group);
    }

    fn give_back_buffer(&mut self, group: u16, buffer: Selected) {
        self.parts.lent.give_back_buffer(self.ring, group, buffer);
    }

    fn give_back(&mut self, key: Key) {
        self.parts.lent.give_back(self.ring, key);
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        self.parts.world.strikes(fault)
    }

    fn might_strike(&mut self, fault: Fault) -> bool {
        self.parts.world.might_strike(fault)
    }

    fn count(&mut self, fault: Fault) {
        self.parts.world.faults.count(fault);
    }

    fn call_later(&mut self, key: Key) {
        self.parts.call_later(self.ring, self.host, key);
    }

    fn ended(&mut self, cqe: &io_uring_cqe) -> bool {
        self.parts.ended(self.ring, cqe)
    }
}
