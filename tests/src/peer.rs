//! The other end of a connection, in the test's hand.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use annulus::io::Interest;
use annulus::net::TcpStream;
use annulus::runtime::Handle;

/// A blocking socket of std's. A simulated world has none: there it is one of annulus', which
/// blocks by stepping that world, so not in a task.
#[derive(Debug)]
pub struct Peer(Kind);

#[derive(Debug)]
enum Kind {
    Std(std::net::TcpStream),
    Simulated(Box<Simulated>),
}

#[derive(Debug)]
struct Simulated {
    stream: TcpStream,
    handle: Handle,
    nonblocking: AtomicBool,
}

impl Simulated {
    /// Does `call`, and waits for `interest` unless that is not wanted.
    fn with(
        &self,
        interest: Interest,
        mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            match call(&self.stream) {
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && !self.nonblocking.load(Ordering::Relaxed) =>
                {
                    self.handle.block_on(self.stream.ready(interest))?;
                }
                done => return done,
            }
        }
    }
}

impl Peer {
    pub(crate) fn of_std(stream: std::net::TcpStream) -> Peer {
        Peer(Kind::Std(stream))
    }

    pub(crate) fn simulated(stream: TcpStream) -> Peer {
        Peer(Kind::Simulated(Box::new(Simulated {
            stream,
            handle: Handle::current(),
            nonblocking: AtomicBool::new(false),
        })))
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn set_nonblocking(&self, wanted: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Std(stream) => stream.set_nonblocking(wanted),
            Kind::Simulated(it) => {
                it.nonblocking.store(wanted, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// As std's.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn local_addr(&self) -> io::Result<std::net::SocketAddr> {
        match &self.0 {
            Kind::Std(stream) => stream.local_addr(),
            Kind::Simulated(it) => it.stream.local_addr(),
        }
    }

    /// The same end as a stream of the runtime in context.
    ///
    /// # Panics
    ///
    /// If that does not take it.
    #[must_use]
    pub fn into_annulus(self) -> TcpStream {
        match self.0 {
            Kind::Std(stream) => {
                stream
                    .set_nonblocking(true)
                    .expect("a socket can be non-blocking");
                TcpStream::from_std(stream).expect("a runtime is in context")
            }
            Kind::Simulated(it) => it.stream,
        }
    }

    /// Whether a read would have to wait for longer than a loaded machine needs.
    pub(crate) fn limit_reads(&self, limit: std::time::Duration) {
        if let Kind::Std(stream) = &self.0 {
            stream
                .set_read_timeout(Some(limit))
                .expect("it is a timeout");
        }
    }
}

/// What only std's sockets have.
///
/// # Panics
///
/// On a simulated kernel.
impl Deref for Peer {
    type Target = std::net::TcpStream;

    fn deref(&self) -> &std::net::TcpStream {
        match &self.0 {
            Kind::Std(stream) => stream,
            Kind::Simulated(_) => panic!("a simulated peer is no socket of std's"),
        }
    }
}

impl Read for &Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Std(stream) => (&*stream).read(buf),
            Kind::Simulated(it) => it.with(Interest::READABLE, |stream| stream.try_read(buf)),
        }
    }
}

impl Write for &Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Std(stream) => (&*stream).write(buf),
            Kind::Simulated(it) => it.with(Interest::WRITABLE, |stream| stream.try_write(buf)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
