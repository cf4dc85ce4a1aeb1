//! A descriptor's tie to its home: waits for readiness, and the polls that stand for them.
//!
//! ```text
//!   poll_read ──► Registration ──► Readiness ◄── PollAdd (at the home) ◄── CQE
//!                     └─ submits PollAdd when somebody waits and none stands
//! ```
#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::homes::Homes;
use super::readiness::{Event, Readiness, Side};
use super::waiters::Place;
use super::{Interest, Ready};
use crate::op::poll_add::PollAdd;
use crate::op::{Op, Submit};
use crate::reactor::Home;
use crate::runtime::Driver;
use crate::task::coop;

/// The polls in flight for a descriptor, by [`Side`].
pub(crate) type Polls = [Option<Submit<PollAdd>>; 3];

pub(crate) struct Registration {
    fd: RawFd,
    homes: Homes,
    readiness: Arc<Readiness>,
    /// Locked when a poll is submitted, never by a call that finds one standing.
    polls: Mutex<Polls>,
}

impl Registration {
    /// Registers `fd` with the current runtime; nothing is submitted before somebody waits. The
    /// owner of `fd` keeps it open until it has taken the polls back.
    #[track_caller]
    pub(crate) fn new(fd: RawFd, known: Ready) -> Registration {
        Registration {
            fd,
            homes: Homes::new(Home::current_with(Driver::Io)),
            readiness: Arc::new(Readiness::new(known)),
            polls: Mutex::default(),
        }
    }

    /// The home, for operations other than polls: it stays the home from now on.
    pub(crate) fn home(&self) -> &Arc<Home> {
        if self.homes.is_fixed() {
            return self.homes.any();
        }
        let _polls = self.lock_polls();
        self.homes.fix()
    }

    /// The home, if one was chosen, else another of the same runtime.
    pub(crate) fn any_home(&self) -> &Arc<Home> {
        self.homes.any()
    }

    pub(crate) fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// Waits until `side` is known to be ready.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>, side: Side) -> Poll<io::Result<Event>> {
        self.alive()?;
        match self.readiness.poll_known(cx, side) {
            Poll::Ready(event) => Poll::Ready(Ok(event)),
            Poll::Pending => {
                self.watch(side)?;
                Poll::Pending
            }
        }
    }

    /// Waits until a call of `side` is worth making.
    pub(crate) fn poll_worth_trying(
        &self,
        cx: &Context<'_>,
        side: Side,
    ) -> Poll<io::Result<Event>> {
        match self.readiness.worth_trying(side.interest()) {
            Some(event) => {
                self.alive()?;
                Poll::Ready(Ok(event))
            }
            None => self.poll_ready(cx, side),
        }
    }

    /// Calls `call` whenever `side` may be ready, until it answers anything but `WouldBlock`.
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        mut call: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let event = ready!(self.poll_worth_trying(cx, side))?;
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.clear(event, side.interest());
                }
                result => {
                    budget.made_progress();
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// As [`poll_io`](Registration::poll_io), for any number of tasks at a time.
    pub(crate) async fn async_io<R>(
        &self,
        interest: Interest,
        mut call: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let event = match self.readiness.worth_trying(interest) {
                Some(event) => {
                    self.alive()?;
                    event
                }
                None => self.ready(interest).await?,
            };
            let budget = poll_fn(coop::poll_proceed).await;
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.clear(event, interest);
                }
                result => {
                    budget.made_progress();
                    return result;
                }
            }
        }
    }

    /// Calls `call` once, unless it is known that it would block.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(event) = self.readiness.worth_trying_now(interest) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let result = call();
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.readiness.clear(event, interest);
        }
        result
    }

    /// Waits, beside any number of others, until something of `interest` is known to be ready.
    pub(crate) fn ready(&self, interest: Interest) -> ReadyFuture<'_> {
        ReadyFuture {
            registration: self,
            interest,
            place: None,
        }
    }

    /// Drops the poll that stands for `side`, so that it reports no more.
    pub(crate) fn unwatch(&self, side: Side) {
        if self.readiness.is_armed(side)
            && let Some(poll) = &mut self.lock_polls()[side as usize]
        {
            // It stays in its slot until it has ended: a socket that is closed meanwhile has to
            // know that the kernel, or a queued SQE, still names its descriptor.
            poll.cancel();
        }
    }

    /// Takes the polls back, before the descriptor leaves.
    pub(crate) fn take_polls(&mut self) -> Polls {
        self.readiness.forget_wakers();
        std::mem::take(self.polls.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the home still serves anybody.
    pub(crate) fn alive(&self) -> io::Result<()> {
        let home = self.any_home();
        match home.refusal() {
            None => Ok(()),
            Some(errno) => Err(home.error(errno)),
        }
    }

    /// Sees to it that a poll stands for `side`. For whoever has registered a waker and found
    /// nothing ready.
    pub(crate) fn watch(&self, side: Side) -> io::Result<()> {
        self.readiness.take_error()?;
        if self.readiness.is_armed(side) {
            if self.homes.note_wait() {
                self.unwatch(Side::Read);
            }
            return Ok(());
        }
        self.arm(side);
        Ok(())
    }

    /// Submits a poll for `side`, unless one stands.
    pub(super) fn arm(&self, side: Side) {
        submit_into(
            |polls| &mut polls[side as usize],
            &self.polls,
            || {
                let is_idle = !self.readiness.is_any_armed();
                self.readiness.arm(side).then(|| {
                    let op = PollAdd::new(self.fd, side, Arc::clone(&self.readiness));
                    Submit::start(self.homes.settle(is_idle), op)
                })
            },
        );
    }

    fn lock_polls(&self) -> MutexGuard<'_, Polls> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Submits what `start` yields, and keeps it in its slot. The lock is held from the claim to the
/// keeping, so that a later claim's operation is not put out of the slot by an earlier's.
///
/// An operation that the home refuses ends here, and reports to its readiness.
pub(crate) fn submit_into<S, T: Op<Output = ()>>(
    slot: impl FnOnce(&mut S) -> &mut Option<Submit<T>>,
    slots: &Mutex<S>,
    start: impl FnOnce() -> Option<Submit<T>>,
) {
    let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(submit) = start() else {
        return;
    };
    let slot = slot(&mut slots);
    let ended = slot.replace(submit);
    let refused = slot.take_if(|submit| submit.is_finished());
    // What follows may wake tasks.
    drop(slots);
    drop(ended);
    if let Some(mut refused) = refused {
        let _ = Pin::new(&mut refused).poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("fd", &self.fd)
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// A wait in an `async fn`; see [`Registration::ready`].
#[derive(Debug)]
pub(crate) struct ReadyFuture<'a> {
    registration: &'a Registration,
    interest: Interest,
    place: Option<Place>,
}

impl Future for ReadyFuture<'_> {
    type Output = io::Result<Event>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Event>> {
        let this = &mut *self;
        let (registration, readiness) = (this.registration, &this.registration.readiness);
        registration.alive()?;
        let event = readiness.known(this.interest);
        if !event.ready.is_empty() {
            return Poll::Ready(Ok(event));
        }
        match &this.place {
            Some(place) => readiness.waiters.update(place, cx.waker()),
            None => this.place = Some(readiness.waiters.enter(this.interest, cx.waker())),
        }
        // Registered: what arrives from here on wakes this task, what arrived before is seen.
        let event = readiness.known(this.interest);
        if !event.ready.is_empty() {
            return Poll::Ready(Ok(event));
        }
        Side::of(this.interest).try_for_each(|side| registration.watch(side))?;
        Poll::Pending
    }
}

impl Drop for ReadyFuture<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.registration.readiness.waiters.leave(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::runtime::{Builder, Runtime};
    use crate::task::yield_now;

    fn two_workers() -> Runtime {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        runtime.expect("the runtime builds")
    }

    /// Waits once; whether that was on the home's thread.
    async fn wait(registration: Arc<Registration>) -> bool {
        poll_fn(move |cx| {
            assert!(registration.poll_ready(cx, Side::Read).is_pending());
            Poll::Ready(registration.any_home().is_here())
        })
        .await
    }

    #[test]
    fn the_worker_that_waits_first_is_the_home() {
        let (one, _other) = UnixDatagram::pair().expect("a pair");
        two_workers().block_on(async {
            // 1. This thread drives no core: the registration is made at either's.
            let registration = Arc::new(Registration::new(one.as_raw_fd(), Ready::EMPTY));
            assert!(!registration.any_home().is_here());
            // 2. A task waits, on whichever worker.
            let at_home = crate::spawn(wait(Arc::clone(&registration)));
            assert!(at_home.await.expect("it does not panic"));
        });
    }

    #[test]
    fn a_descriptor_follows_the_worker_that_goes_on_waiting_for_it() {
        let (one, other) = UnixDatagram::pair().expect("a pair");
        two_workers().block_on(async {
            let registration = Arc::new(Registration::new(one.as_raw_fd(), Ready::EMPTY));
            // 1. One worker waits, and is the home.
            let waiting = crate::spawn(wait(Arc::clone(&registration)));
            assert!(waiting.await.expect("it does not panic"));
            let first = Arc::clone(registration.any_home());
            // 2. Tasks wait again and again, now and then on the other worker, until it has.
            while Arc::ptr_eq(&first, registration.any_home()) {
                let registration = Arc::clone(&registration);
                let waiting = crate::spawn(async move {
                    for _ in 0..64 {
                        wait(Arc::clone(&registration)).await;
                        yield_now().await;
                    }
                });
                waiting.await.expect("it does not panic");
            }
            // 3. What arrives is told there.
            let ready = crate::spawn(async move {
                other.send(b"x").expect("room");
                registration.ready(Interest::READABLE).await.is_ok()
            });
            assert!(ready.await.expect("it does not panic"));
        });
    }

    #[test]
    fn a_home_that_others_rely_on_is_not_left() {
        let (one, _other) = UnixDatagram::pair().expect("a pair");
        two_workers().block_on(async {
            let registration = Arc::new(Registration::new(one.as_raw_fd(), Ready::EMPTY));
            let waiting = crate::spawn(wait(Arc::clone(&registration)));
            waiting.await.expect("it does not panic");
            let first = Arc::clone(registration.home());
            for _ in 0..64 {
                let waiting = crate::spawn(wait(Arc::clone(&registration)));
                waiting.await.expect("it does not panic");
                assert!(Arc::ptr_eq(&first, registration.any_home()));
            }
        });
    }
}
