//! Opening a FIFO.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::end::{End, expect_no_simulation, expect_pipe};
use super::{Receiver, Sender};
use crate::reactor::Home;
use crate::runtime::Driver;

/// How a FIFO, a pipe with a name in the file system, is opened.
///
/// ```no_run
/// use annulus::net::unix::pipe;
///
/// # async fn example() -> std::io::Result<()> {
/// let receiver = pipe::OpenOptions::new().open_receiver("/run/commands")?;
/// receiver.readable().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// Options with nothing set.
    pub fn new() -> OpenOptions {
        OpenOptions {
            read_write: false,
            unchecked: false,
        }
    }

    /// Opens the FIFO for both directions: a sender then needs no receiver to be there already,
    /// and a receiver does not see the end of the stream when the last sender goes, for it counts
    /// as one itself. False by default.
    ///
    /// # Kernel
    ///
    /// What Linux does with a FIFO that is opened so; POSIX leaves it open.
    pub fn read_write(&mut self, value: bool) -> &mut OpenOptions {
        self.read_write = value;
        self
    }

    /// Skips the check that the path leads to a FIFO. False by default.
    ///
    /// An end over another kind of file may block the thread, or fail where a pipe would not.
    pub fn unchecked(&mut self, value: bool) -> &mut OpenOptions {
        self.unchecked = value;
        self
    }

    /// Opens the FIFO to read from it. No sender has to be there: the receiver then waits for
    /// one.
    ///
    /// It calls open(2) on this thread, which does not wait for a peer.
    ///
    /// # Errors
    ///
    /// Those of open(2); `InvalidInput` if the path does not lead to a FIFO, unless that is
    /// [not checked](OpenOptions::unchecked); `Unsupported` in a [simulation](crate::sim).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        let file = self.open(path.as_ref(), End::Receiver)?;
        Receiver::from_file_unchecked(file)
    }

    /// Opens the FIFO to write to it.
    ///
    /// It calls open(2) on this thread, which does not wait for a peer.
    ///
    /// # Errors
    ///
    /// As [`open_receiver`](OpenOptions::open_receiver); ENXIO if no receiver is there, unless it
    /// is opened for [both directions](OpenOptions::read_write).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        let file = self.open(path.as_ref(), End::Sender)?;
        Sender::from_file_unchecked(file)
    }

    #[track_caller]
    fn open(&self, path: &Path, end: End) -> io::Result<File> {
        // Before a peer sees somebody come who cannot stay.
        drop(Home::current_with(Driver::Io));
        expect_no_simulation()?;
        let file = File::options()
            .read(end == End::Receiver || self.read_write)
            .write(end == End::Sender || self.read_write)
            .custom_flags(os::O_NONBLOCK)
            .open(path)?;
        if !self.unchecked {
            expect_pipe(&file)?;
        }
        Ok(file)
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}
