//! A child whose end nobody has seen, and the pidfd that will tell of it.
//!
//! The pidfd only says when to ask. The status stays the kernel's until it is asked for by a call
//! that takes it at once, so a wait that is dropped has taken nothing: that is why the wait is a
//! POLL_ADD, and no WAITID, which reaps as it completes.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::process::{Child, ExitStatus};
use std::task::{Context, Poll, ready};

use super::orphans;
use crate::context;
use crate::io::polled::Polled;
use crate::io::readiness::Side;
use crate::io::{Interest, Ready};
use crate::reactor::Home;
use crate::task::coop;

pub(super) struct Watched {
    /// Present until it is dropped, as is the pidfd.
    child: Option<Child>,
    pidfd: Option<Polled>,
    pub(super) kill_on_drop: bool,
    not_unwind_safe: PhantomData<Box<dyn Send + Sync>>,
}

impl Watched {
    /// Watches `child`, whose pipes were taken out.
    ///
    /// # Errors
    ///
    /// If its pidfd is refused: the child is killed and reaped then.
    #[track_caller]
    pub(super) fn new(mut child: Child, home: &Home) -> io::Result<Watched> {
        let number = i32::try_from(child.id()).expect("the kernel numbers processes so");
        // It cannot be another's by now: only we reap the child.
        match home.kernel().pidfd_open(number) {
            Ok(pidfd) => Ok(Watched {
                child: Some(child),
                pidfd: Some(Polled::new(pidfd, Ready::EMPTY)),
                kill_on_drop: false,
                not_unwind_safe: PhantomData,
            }),
            Err(errno) => {
                // SIGKILL ends it at once, unless the kernel itself holds it.
                child.kill().and_then(|()| child.wait())?;
                Err(errno.into())
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        let child = self.child.as_ref().expect("present until dropped");
        child.id()
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("present until dropped")
    }

    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child().kill()?;
        self.kill_on_drop = false;
        Ok(())
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child().try_wait()
    }

    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let budget = ready!(coop::poll_proceed(cx));
        self.follow();
        loop {
            let pidfd = self.pidfd.as_ref().expect("present until dropped");
            let event = ready!(pidfd.io().poll_ready(cx, Side::Read))?;
            let status = self.try_wait();
            if let Some(status) = status.transpose() {
                budget.made_progress();
                return Poll::Ready(status);
            }
            // A tracer sees the end first: the pidfd tells again when it is ours to see.
            let pidfd = self.pidfd.as_ref().expect("present until dropped");
            let readiness = pidfd.io().readiness();
            readiness.disprove(event, Interest::READABLE);
        }
    }

    /// A child is the process', not a runtime's: one whose runtime has gone is watched by the one
    /// that polls.
    fn follow(&mut self) {
        let is_gone = |pidfd: &mut Polled| pidfd.io().alive().is_err();
        if context::home().is_some()
            && let Some(gone) = self.pidfd.take_if(is_gone)
        {
            self.pidfd = Some(Polled::new(gone.into_fd(), Ready::EMPTY));
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let (Some(mut child), Some(pidfd)) = (self.child.take(), self.pidfd.take()) else {
            return;
        };
        if self.kill_on_drop {
            // It may have become another user's: then it lives on.
            let _ = child.kill();
        }
        // An error is that somebody else has reaped it.
        if let Ok(None) = child.try_wait() {
            orphans::adopt(child, pidfd.into_fd());
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("id", &self.child.as_ref().map(Child::id))
            .finish_non_exhaustive()
    }
}
