//! A descriptor of ours with its home: what every kind of socket is made of.
//!
//! Data moves by inline non-blocking calls, each held against the [`Registration`]'s knowledge
//! of readiness. Dropping the socket closes it now, together with the polls that stand for it.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use annulus_ring::{Kernel, Mask, SockAddr};
use socket_address::{Domain, Type};

use super::hot::Hot;
use super::options::Options;
use super::shortage;
use crate::context;
use crate::io::readiness::Side;
use crate::io::registration::Registration;
use crate::io::{Interest, ReadBuf, Ready};
use crate::op::Submit;
use crate::op::connect::Connect;
use crate::op::inline;
use crate::op::landing::Taken;
use crate::reactor::Home;
use crate::runtime::{Driver, KernelKind};
use crate::sim;
use crate::uring::lanes::Lanes;

pub(crate) struct Socket {
    /// Present until the socket is taken apart.
    fd: Option<OwnedFd>,
    pub(super) io: Registration,
    /// How a stream receives while it waits; idle in every other kind of socket.
    pub(super) hot: Hot,
    /// Made by the first operation with an owned buffer.
    lanes: OnceLock<Arc<Lanes>>,
}

/// The kernel for calls on a socket that has no home yet: the current runtime's, else the one
/// that a runtime made here would have.
///
/// # Errors
///
/// Outside of any runtime, as [`Builder::build`](crate::runtime::Builder::build).
pub(super) fn kernel() -> io::Result<Kernel> {
    static OUTSIDE: OnceLock<Kernel> = OnceLock::new();
    if let Some(home) = context::home() {
        return Ok(home.kernel().clone());
    }
    if let Some(kernel) = OUTSIDE.get() {
        return Ok(kernel.clone());
    }
    let kernel = KernelKind::Auto.choose(Mask::NONE)?.kernel;
    if matches!(kernel, Kernel::Simulated(_)) {
        // Each thread's is another.
        return Ok(kernel);
    }
    Ok(OUTSIDE.get_or_init(|| kernel).clone())
}

/// A new descriptor, non-blocking and closed on exec.
pub(super) fn open(kernel: &Kernel, domain: Domain, kind: Type) -> io::Result<OwnedFd> {
    Ok(kernel.socket(domain.into(), kind.into(), 0)?)
}

/// The home of a new socket.
///
/// # Errors
///
/// That its runtime has ended.
///
/// # Panics
///
/// Outside of any runtime, and in one without `enable_io`.
#[track_caller]
pub(super) fn home() -> io::Result<Arc<Home>> {
    let home = Home::current_with(Driver::Io);
    if home.is_shutdown() {
        return Err(Home::shutdown_error());
    }
    Ok(home)
}

/// Two Unix sockets that are connected with each other.
#[track_caller]
pub(super) fn pair(kind: Type) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(home()?.kernel().socketpair(os::AF_UNIX, kind.into(), 0)?)
}

/// Connects `fd` by a CONNECT operation of the current home.
pub(super) async fn connect(fd: OwnedFd, peer: SockAddr) -> io::Result<Socket> {
    let home = home()?;
    let connected = Submit::new(&home, Connect::new(fd, peer)).await;
    let fd = connected.map_err(|errno| home.error(errno))?;
    Ok(Socket::new(fd, Ready::WRITABLE))
}

/// What a socket's address is under std's type.
///
/// # Errors
///
/// `InvalidInput` if it is not an internet address.
pub(super) fn internet(addr: SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the address is neither of IPv4 nor of IPv6",
        )
    })
}

/// Checks that a socket from outside does not block, and is of the kernel at hand.
///
/// # Errors
///
/// `Unsupported` for one of the system in a simulated world.
///
/// # Panics
///
/// With debug assertions, if it does: it would block the worker.
#[track_caller]
pub(super) fn expect_ours(operation: &str, fd: &impl AsFd) -> io::Result<()> {
    home()?;
    if let Some(kernel) = sim::kernel_in_context() {
        return if kernel.knows(fd.as_fd()) {
            Ok(())
        } else {
            sim::refuse(
                operation,
                "a socket of the system is none of a simulated host",
            )
        };
    }
    if cfg!(debug_assertions) {
        let nonblocking = socket_address::SockRef::from(fd).nonblocking()?;
        assert!(
            nonblocking,
            "a blocking socket was given to the runtime: call set_nonblocking(true) on it first"
        );
    }
    Ok(())
}

impl Socket {
    /// Gives `fd` a home: the current one. Of sides outside `known` nothing is known.
    #[track_caller]
    pub(super) fn new(fd: OwnedFd, known: Ready) -> Socket {
        Socket {
            io: Registration::new(fd.as_raw_fd(), known),
            fd: Some(fd),
            hot: Hot::default(),
            lanes: OnceLock::new(),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_ref().expect("present until taken apart").as_fd()
    }

    /// The turns that operations with owned buffers take.
    pub(crate) fn lanes(&self) -> &Arc<Lanes> {
        let readiness = self.io.readiness();
        self.lanes
            .get_or_init(|| Arc::new(Lanes::new(Arc::clone(readiness))))
    }

    /// The same, unless there never was such an operation.
    pub(super) fn used_lanes(&self) -> Option<&Lanes> {
        self.lanes.get().map(|lanes| &**lanes)
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        self.io.home()
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        self.io.any_home().kernel()
    }

    pub(super) fn options(&self) -> Options<'_> {
        Options {
            kernel: self.kernel(),
            fd: self.fd(),
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SockAddr> {
        Ok(self.kernel().getsockname(self.fd())?)
    }

    pub(super) fn peer_addr(&self) -> io::Result<SockAddr> {
        Ok(self.kernel().getpeername(self.fd())?)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => os::SHUT_RD,
            Shutdown::Write => os::SHUT_WR,
            Shutdown::Both => os::SHUT_RDWR,
        };
        Ok(self.kernel().shutdown(self.fd(), how)?)
    }

    /// Takes the descriptor out, without its polls.
    pub(super) fn into_fd(mut self) -> OwnedFd {
        drop(self.io.take_polls());
        self.fd.take().expect("present until taken apart")
    }

    /// Takes what a receive of an earlier read has left, for whoever is about to receive by an
    /// operation of their own; waits for it while it is in flight. `None` if there is nothing.
    pub(crate) fn poll_leftover(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        if let Some(lanes) = self.used_lanes()
            && let len @ 1.. = lanes.read_stash(buf, false)
        {
            return Poll::Ready(Ok(Some(len)));
        }
        loop {
            self.io.alive()?;
            match self.hot.take(buf, false) {
                Taken::Nothing | Taken::Starved => return Poll::Ready(Ok(None)),
                Taken::Bytes { len, .. } => return Poll::Ready(Ok(Some(len))),
                Taken::Failed(error) => return Poll::Ready(Err(error)),
                Taken::Busy => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Taken::Lent => {
                    self.io.readiness().register(Side::Read, cx.waker());
                    if self.hot.is_lent() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.io.ready(interest).await?.ready)
    }

    pub(super) fn poll_ready(&self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<()>> {
        let budget = ready!(crate::task::coop::poll_proceed(cx));
        ready!(self.io.poll_ready(cx, side))?;
        budget.made_progress();
        Poll::Ready(Ok(()))
    }

    pub(super) fn recv(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        inline::recv(self.kernel(), self.fd(), buf, 0)
    }

    pub(super) fn recv_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let len = self.kernel().recv_vectored(self.fd(), bufs, 0)?;
        context::spent_bytes(len);
        Ok(len)
    }

    pub(super) fn peek(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        inline::recv(self.kernel(), self.fd(), buf, os::MSG_PEEK)
    }

    pub(super) fn recv_from(&self, buf: &mut ReadBuf<'_>) -> io::Result<(usize, SockAddr)> {
        inline::recv_from(self.kernel(), self.fd(), buf, 0)
    }

    pub(super) fn peek_from(&self, buf: &mut ReadBuf<'_>) -> io::Result<(usize, SockAddr)> {
        inline::recv_from(self.kernel(), self.fd(), buf, os::MSG_PEEK)
    }

    pub(super) fn send(&self, buf: &[u8]) -> io::Result<usize> {
        inline::send(self.kernel(), self.fd(), buf)
    }

    pub(super) fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        inline::send_vectored(self.kernel(), self.fd(), bufs)
    }

    pub(super) fn send_to(&self, buf: &[u8], target: &SockAddr) -> io::Result<usize> {
        inline::send_to(self.kernel(), self.fd(), buf, target)
    }

    pub(super) fn accept(&self) -> io::Result<(OwnedFd, SockAddr)> {
        Ok(self.kernel().accept(self.fd())?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take() else {
            return;
        };
        let polls = self.io.take_polls();
        let receive = self.hot.take_receive();
        let lanes = self.used_lanes();
        let standing = receive.is_some() || polls.iter().any(Option::is_some);
        let touched = standing || lanes.is_some();
        // What the kernel has of this socket: none, one or two operations, as a rule.
        let mut lent = [0; 6];
        let mut count = 0;
        let known = polls.iter().flatten().map(Submit::user_data);
        let known = known
            .chain(receive.as_ref().map(Submit::user_data))
            .flatten();
        for user_data in known.chain(lanes.into_iter().flat_map(Lanes::lent)) {
            lent[count] = user_data;
            count += 1;
        }
        let drop_ops = || drop((polls, receive));
        self.io
            .any_home()
            .close_socket(fd, touched, &lent[..count], drop_ops);
        shortage::freed();
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}
