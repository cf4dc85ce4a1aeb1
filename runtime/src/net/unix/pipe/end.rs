//! What a descriptor must be to become an end of a pipe.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use crate::reactor::Home;
use crate::runtime::Driver;
use crate::sim;

/// The two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Receiver,
    Sender,
}

impl End {
    /// Checks that `fd` is a pipe, and open for what this end does; makes it non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for anything else; `Unsupported` in a simulated world.
    #[track_caller]
    pub(super) fn adopt(self, fd: OwnedFd) -> io::Result<OwnedFd> {
        let home = Home::current_with(Driver::Io);
        expect_no_simulation()?;
        let file = File::from(fd);
        expect_pipe(&file)?;
        let (other, otherwise) = match self {
            End::Receiver => (os::O_WRONLY, "not in O_RDONLY or O_RDWR access mode"),
            End::Sender => (os::O_RDONLY, "not in O_WRONLY or O_RDWR access mode"),
        };
        if home.kernel().status_flags(file.as_fd())? & os::O_ACCMODE == other {
            return Err(invalid(otherwise));
        }
        home.kernel().set_nonblocking(file.as_fd(), true)?;
        Ok(file.into())
    }
}

/// # Errors
///
/// `InvalidInput` if it is something else.
pub(super) fn expect_pipe(file: &File) -> io::Result<()> {
    if file.metadata()?.file_type().is_fifo() {
        Ok(())
    } else {
        Err(invalid("not a pipe"))
    }
}

/// # Errors
///
/// `Unsupported` in a simulated world.
pub(super) fn expect_no_simulation() -> io::Result<()> {
    sim::refuse(
        "opening a pipe of the system",
        "make one of the host's own by net::unix::pipe::pipe",
    )
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
