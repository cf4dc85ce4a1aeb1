//! When a stream receives by an operation of its own instead of polling, and what it got.
//!
//! A read that has to wait submits one RECV, and the bytes are there when it is woken: no call
//! to fetch them, at the price of an SQE, a buffer and a copy. It can only pay where every read
//! waits, as with request and response, so under [`RecvMode::Auto`] a stream earns it by
//! [`STREAK`] waits in a row and loses it by a read that did not wait. Whoever wants to know the readiness, or has the descriptor, must
//! find the bytes in the kernel: that use pins the stream to polling for good.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::stream::left_behind;
use crate::io::ReadBuf;
use crate::io::readiness::Side;
use crate::io::registration::{Registration, submit_into};
use crate::op::Submit;
use crate::op::landing::{Landing, Taken};
use crate::op::recv_select::RecvSelect;
use crate::reactor::Home;
use crate::runtime::RecvMode;

/// How many reads in a row had to wait before a stream receives by itself.
const STREAK: u8 = 4;

/// How often a core turns for a cancelled receive to land; the first turn does, as a rule.
const VACATE_TURNS: u32 = 4;

#[derive(Default)]
pub(super) struct Hot {
    /// Made by the first receive.
    landing: OnceLock<Arc<Landing>>,
    receive: Mutex<Option<Submit<RecvSelect>>>,
    pinned: AtomicBool,
    /// The pool was empty: wait by polling until the next read.
    starved: AtomicBool,
    /// The read that is under way had to wait.
    waited: AtomicBool,
    streak: AtomicU8,
}

impl Hot {
    /// Takes or peeks what a receive has brought.
    pub(super) fn take(&self, buf: &mut ReadBuf<'_>, peek: bool) -> Taken {
        let Some(landing) = self.landing.get() else {
            return Taken::Nothing;
        };
        let taken = landing.take(buf, peek);
        if matches!(taken, Taken::Starved) {
            self.starved.store(true, Relaxed);
        }
        taken
    }

    /// Whether a receive is in flight.
    pub(super) fn is_lent(&self) -> bool {
        self.landing.get().is_some_and(|landing| landing.is_lent())
    }

    /// Whether neither a receive is in flight nor bytes of one are left.
    pub(super) fn is_idle(&self) -> bool {
        self.landing.get().is_none_or(|landing| landing.is_idle())
    }

    /// The stream polls from now on.
    pub(super) fn pin(&self) {
        if !self.pinned.load(Relaxed) {
            self.pinned.store(true, Relaxed);
        }
    }

    /// A read waits.
    pub(super) fn note_wait(&self) {
        self.waited.store(true, Relaxed);
    }

    /// A read got its bytes by a call; whether they filled its buffer.
    pub(super) fn note_inline(&self, filled: bool) {
        let streak = match self.waited.load(Relaxed) && !filled {
            true => self.streak.load(Relaxed).saturating_add(1),
            false => 0,
        };
        self.waited.store(false, Relaxed);
        self.starved.store(false, Relaxed);
        self.streak.store(streak, Relaxed);
    }

    /// Submits a receive of up to `len` bytes, if this stream receives by itself and none is
    /// in flight. The reader is registered already.
    pub(super) fn receive(&self, fd: RawFd, len: usize, io: &Registration) -> bool {
        let enabled = match io.any_home().recv_mode() {
            RecvMode::Base => false,
            RecvMode::Hot => true,
            RecvMode::Auto => self.streak.load(Relaxed) >= STREAK,
        };
        if !enabled || self.pinned.load(Relaxed) || self.starved.load(Relaxed) || len == 0 {
            return false;
        }
        let pool = io.home().pool();
        if !pool.is_ready() {
            return false;
        }
        let landing = self
            .landing
            .get_or_init(|| Arc::new(Landing::new(io.home())));
        io.unwatch(Side::Read);
        submit_into(
            |receive| receive,
            &self.receive,
            || {
                landing.begin().then(|| {
                    let len = len.min(pool.buffer_bytes() as usize) as u32;
                    let readiness = Arc::clone(io.readiness());
                    let op = RecvSelect::new(fd, len, Arc::clone(landing), readiness);
                    Submit::start(io.home(), op)
                })
            },
        );
        true
    }

    /// Takes the receive back, before the descriptor leaves.
    pub(super) fn take_receive(&mut self) -> Option<Submit<RecvSelect>> {
        let receive = self.receive.get_mut();
        receive.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Sees to it that the kernel holds every byte again, and pins the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` while a receive is in flight, which is cancelled; another if bytes of a
    /// dropped read are in the stream.
    pub(super) fn vacate(&self) -> io::Result<()> {
        self.pin();
        let Some(landing) = self.landing.get() else {
            return Ok(());
        };
        if landing.is_lent() {
            if let Some(receive) = self.lock().as_mut() {
                receive.cancel();
            }
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if landing.is_idle() {
            return Ok(());
        }
        Err(left_behind())
    }

    /// As [`vacate`](Hot::vacate), and turns the core, if this thread drives it, for a cancelled
    /// receive to land.
    pub(super) fn vacate_now(&self, home: &Home) -> io::Result<()> {
        for _ in 0..VACATE_TURNS {
            match self.vacate() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if home.with_core(|core| core.turn()).is_none() {
                break;
            }
        }
        Err(io::Error::other(
            "the receive of a dropped read has not ended: convert the stream on its own worker",
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Submit<RecvSelect>>> {
        self.receive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
