//! Which of its two drivers a runtime lets its users have.
//!
//! The ring carries both, and files, whatever is set here. As under tokio, a program that forgot to
//! enable one learns it by a panic that names the remedy, so that what runs here runs there.
#![forbid(unsafe_code)]

use super::Builder;

/// What a socket, or a timer, needs of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Io,
    Time,
}

/// The drivers that were enabled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drivers {
    io: bool,
    time: bool,
}

impl Driver {
    /// What a panic says without it, in tokio's words, which programs and tests match on.
    pub(crate) fn is_disabled(self) -> &'static str {
        match self {
            Driver::Io => {
                "A Tokio 1.x context was found, but IO is disabled. Call `enable_io` on the \
                 runtime builder to enable IO."
            }
            Driver::Time => {
                "A Tokio 1.x context was found, but timers are disabled. Call `enable_time` on \
                 the runtime builder to enable timers."
            }
        }
    }
}

impl Drivers {
    pub(crate) fn has(self, driver: Driver) -> bool {
        match driver {
            Driver::Io => self.io,
            Driver::Time => self.time,
        }
    }
}

impl Builder {
    /// Enables I/O and time: [`enable_io`](Self::enable_io) and [`enable_time`](Self::enable_time).
    pub fn enable_all(&mut self) -> &mut Builder {
        self.enable_io().enable_time()
    }

    /// Lets the runtime have sockets, pipes, child processes and signals. Without this, making one
    /// panics, as it does under tokio; files need nothing.
    ///
    /// It costs nothing: the ring that carries them is there in any case.
    pub fn enable_io(&mut self) -> &mut Builder {
        self.drivers.io = true;
        self
    }

    /// Lets the runtime have timers ([`time`](crate::time)). Without this, making one panics, as it
    /// does under tokio.
    ///
    /// It costs nothing, for the same reason.
    pub fn enable_time(&mut self) -> &mut Builder {
        self.drivers.time = true;
        self
    }
}
