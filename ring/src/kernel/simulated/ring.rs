//! The kernel's side of a simulated ring.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::{IORING_ENTER_EXT_ARG, IORING_ENTER_GETEVENTS};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_PBUF_RING, IORING_REGISTER_RING_FDS,
    IORING_REGISTER_SEND_MSG_RING, IORING_REGISTER_SYNC_CANCEL, IORING_UNREGISTER_PBUF_RING,
    IORING_UNREGISTER_RING_FDS,
};
use annulus_syscalls::io_uring::register::{io_uring_buf_reg, io_uring_sync_cancel_reg};
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_getevents_arg, io_uring_sqe};

use super::Simulated;
use super::faults::Fault;
use super::state::{Letter, State};
use super::world::{Body, Id};
use crate::kernel::engine::{Engine, Flags, Memory, Pattern, Queues};

/// One simulated ring.
#[derive(Debug)]
pub(crate) struct Shared {
    host: Simulated,
    memory: Arc<Memory>,
    id: Id,
    /// Its number stands for the ring.
    descriptor: OwnedFd,
}

const NS_PER_SECOND: u64 = 1_000_000_000;

impl Shared {
    /// The kernel's side of a ring in `memory`.
    ///
    /// # Errors
    /// EMFILE.
    pub(super) fn new(host: &Simulated, memory: &Arc<Memory>) -> Result<Shared, Errno> {
        let mut state = host.state();
        let id = state.parts.world.make(host.host, 0, Body::Placeholder)?;
        let descriptor = state.parts.name(id)?;
        // SAFETY: the memory is new: this is the one kernel's side.
        let queues = unsafe { Queues::new(Arc::clone(memory)) };
        state.add_ring(id, host.host, Engine::new(queues), Flags::new(memory));
        Ok(Shared {
            host: host.clone(),
            memory: Arc::clone(memory),
            id,
            descriptor,
        })
    }

    pub(crate) fn fd(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// The ring is gone.
    pub(crate) fn close(&self) {
        self.host.state().remove_ring(self.id);
    }

    /// `io_uring_enter`(2). One that waits moves the clock until there is a completion.
    ///
    /// # Safety
    /// As the system call: entries are what their `prep_*` methods promise, and `arg` is what
    /// `flags` say.
    pub(crate) unsafe fn enter(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        arg: usize,
    ) -> Result<u32, Errno> {
        let mut span_ns = None;
        if flags & IORING_ENTER_EXT_ARG != 0 {
            // SAFETY: promised by the caller.
            let arg = unsafe { with_exposed_provenance::<io_uring_getevents_arg>(arg).read() };
            let time = with_exposed_provenance::<__kernel_timespec>(arg.ts as usize);
            // SAFETY: as above: null, or a timespec.
            span_ns = unsafe { time.as_ref() }.map(nanoseconds);
        }
        let mut state = self.host.state();
        let entered = self.enter_at_once(&mut state, to_submit);
        // What lies in the SQ until a later enter is as good as lent.
        state.with_ring(self.id, |engine, machine| {
            for (place, sqe) in engine.queues.left() {
                machine.parts.lent.keep_left(machine.ring, place, &sqe);
            }
        })?;
        let submitted = entered?;
        if flags & IORING_ENTER_GETEVENTS == 0 || submitted < to_submit {
            return Ok(submitted);
        }
        self.wait(&mut state, submitted, min_complete, span_ns)
    }

    /// Submits, unless a fault refuses it.
    fn enter_at_once(&self, state: &mut State, to_submit: u32) -> Result<u32, Errno> {
        let refusals = [
            (Fault::EnterInterrupted, Errno::EINTR),
            (Fault::EnterAgain, Errno::EAGAIN),
            (Fault::EnterBusy, Errno::EBUSY),
            (Fault::EnterNoMemory, Errno::ENOMEM),
        ];
        for (fault, errno) in refusals {
            if state.parts.world.strikes(fault) {
                return Err(errno);
            }
        }
        let mut count = to_submit;
        if count > 1 && state.parts.world.strikes(Fault::PartlySubmitted) {
            count = state.parts.world.rng.between(1, u64::from(count) - 1) as u32;
        }
        let full = state.parts.world.might_strike(Fault::Overflow);
        let submitted = state.with_ring(self.id, |engine, machine| {
            engine.queues.refuse(false);
            engine.queues.flush();
            engine.queues.refuse(full);
            for (place, _) in engine.queues.left().take(count as usize) {
                machine.parts.lent.give_back_left(machine.ring, place);
            }
            engine.submit(count, machine)
        })?;
        state.settle(self.id)?;
        if full && state.with_ring(self.id, |engine, _| engine.queues.refuse(true))? {
            state.parts.world.faults.count(Fault::Overflow);
        }
        Ok(submitted)
    }

    /// Moves the clock until there are completions, or the time has run out.
    fn wait(
        &self,
        state: &mut State,
        submitted: u32,
        min_complete: u32,
        span_ns: Option<u64>,
    ) -> Result<u32, Errno> {
        let deadline_ns = span_ns.map(|span_ns| state.parts.world.now_ns().saturating_add(span_ns));
        loop {
            let ready = state.with_ring(self.id, |engine, _| engine.queues.ready())?;
            if ready >= min_complete {
                return Ok(submitted);
            }
            // Who waits gets what overflowed.
            state.with_ring(self.id, |engine, _| {
                engine.queues.refuse(false);
                engine.queues.flush();
            })?;
            if state.with_ring(self.id, |engine, _| engine.queues.ready())? >= min_complete {
                return Ok(submitted);
            }
            if !state.is_unsettled(self.id) {
                let next = state.next_ns().into_iter().chain(deadline_ns).min();
                // With nothing left that could happen, waiting is for ever: a signal ends it.
                let next = next.ok_or(Errno::EINTR)?;
                if deadline_ns.is_some_and(|deadline_ns| next >= deadline_ns) {
                    self.host.whole.advance(state, deadline_ns.unwrap_or(next));
                    state.settle(self.id)?;
                    let ready = state.with_ring(self.id, |engine, _| engine.queues.ready())?;
                    return if submitted > 0 || ready > 0 {
                        Ok(submitted)
                    } else {
                        Err(Errno::ETIME)
                    };
                }
                self.host.whole.advance(state, next);
            }
            state.settle(self.id)?;
        }
    }

    /// `io_uring_register`(2), as far as it is simulated.
    ///
    /// # Errors
    /// EINVAL for what is not; those of the registration.
    ///
    /// # Safety
    /// As the system call.
    pub(crate) unsafe fn register(
        &self,
        opcode: u32,
        arg: usize,
        count: u32,
    ) -> Result<u32, Errno> {
        let mut state = self.host.state();
        match opcode {
            // An index instead of the descriptor saves nothing here.
            IORING_REGISTER_RING_FDS | IORING_UNREGISTER_RING_FDS => Ok(count),
            IORING_REGISTER_ENABLE_RINGS => Ok(0),
            IORING_REGISTER_PBUF_RING => {
                // SAFETY: promised by the caller.
                let request = unsafe { read::<io_uring_buf_reg>(arg) };
                let added = state.with_ring(self.id, |engine, _| {
                    // SAFETY: promised by the caller: the memory stays until it is unregistered.
                    unsafe { engine.groups.add_ring(&request) }
                })?;
                added.map(|()| 0)
            }
            IORING_UNREGISTER_PBUF_RING => {
                // SAFETY: promised by the caller.
                let request = unsafe { read::<io_uring_buf_reg>(arg) };
                let removed = state
                    .with_ring(self.id, |engine, _| engine.groups.remove_ring(request.bgid))?;
                if removed.is_ok() {
                    state.parts.lent.forget_group(self.id, request.bgid);
                }
                removed.map(|()| 0)
            }
            IORING_REGISTER_SYNC_CANCEL => {
                // SAFETY: promised by the caller.
                let request = unsafe { read::<io_uring_sync_cancel_reg>(arg) };
                let (addr, fd) = (request.addr, request.fd);
                let pattern = Pattern::of(addr, fd, request.opcode, request.flags)?;
                let res = state.with_ring(self.id, |engine, machine| {
                    let res = engine.cancel(pattern, machine);
                    engine.run(machine);
                    res
                })?;
                if res < 0 {
                    return Err(Errno::from_raw(-res));
                }
                Ok(0)
            }
            IORING_REGISTER_SEND_MSG_RING => {
                // SAFETY: promised by the caller.
                let sqe = unsafe { read::<io_uring_sqe>(arg) };
                let target = state.parts.descriptors.object(sqe.fd);
                let letter = Letter::Message {
                    user_data: sqe.off,
                    res: sqe.len as i32,
                    flags: 0,
                };
                let target = target.map_err(|_| Errno::EBADFD)?;
                state.parts.post(target, letter).map(|()| 0)
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// # Safety
/// `arg` is the address of a `T`.
unsafe fn read<T: Copy>(arg: usize) -> T {
    // SAFETY: promised by the caller.
    unsafe { with_exposed_provenance_mut::<T>(arg).read_unaligned() }
}

fn nanoseconds(time: &__kernel_timespec) -> u64 {
    let seconds = (time.tv_sec.max(0) as u64).saturating_mul(NS_PER_SECOND);
    seconds.saturating_add(time.tv_nsec.max(0) as u64)
}
