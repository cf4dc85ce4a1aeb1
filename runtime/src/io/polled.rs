//! A descriptor of ours that is neither a socket nor a file, with its home: a pipe's end, a pidfd.
//!
//! Dropping it closes it now, together with the polls that stand for it.
#![forbid(unsafe_code)]

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use annulus_ring::Kernel;

use super::Ready;
use super::registration::{Polls, Registration};
use crate::op::Submit;

pub(crate) struct Polled {
    /// Present until it is taken out.
    fd: Option<OwnedFd>,
    io: Registration,
}

impl Polled {
    /// Gives `fd`, which must be non-blocking, a home: the current one. It is known to be ready
    /// for `known`.
    #[track_caller]
    pub(crate) fn new(fd: OwnedFd, known: Ready) -> Polled {
        Polled {
            io: Registration::new(fd.as_raw_fd(), known),
            fd: Some(fd),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("present until taken out").as_fd()
    }

    pub(crate) fn io(&self) -> &Registration {
        &self.io
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        self.io.any_home().kernel()
    }

    /// Takes the descriptor out; the kernel holds it for us no more.
    pub(crate) fn into_fd(mut self) -> OwnedFd {
        self.io.release();
        self.fd.take().expect("present until taken out")
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take() else {
            return;
        };
        let polls = self.io.take_polls();
        let standing = polls.iter().any(Option::is_some);
        let (lent, count) = lent(&polls);
        self.io
            .any_home()
            .close_socket(fd, standing, &lent[..count], || drop(polls));
    }
}

impl Registration {
    /// Ends the polls now, before the descriptor leaves.
    pub(crate) fn release(&mut self) {
        let polls = self.take_polls();
        if polls.iter().all(Option::is_none) {
            return;
        }
        let (lent, count) = lent(&polls);
        self.any_home().release(&lent[..count], || drop(polls));
    }
}

/// What the kernel knows the polls by that it has, and how many they are.
fn lent(polls: &Polls) -> ([u64; 3], usize) {
    let mut lent = [0; 3];
    let known = polls.iter().flatten().filter_map(Submit::user_data);
    let count = lent
        .iter_mut()
        .zip(known)
        .map(|(place, user_data)| *place = user_data)
        .count();
    (lent, count)
}

impl fmt::Debug for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polled")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}
