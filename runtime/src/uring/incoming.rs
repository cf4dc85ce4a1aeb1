//! Connections as they come.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::backlog::Backlog;
use crate::net::{TcpListener, TcpStream};
use crate::op::Timer;
use crate::task::coop;

/// How long to accept nothing when the process, or the system, is out of descriptors or memory.
const SHORTAGE_PAUSE_MS: u64 = 100;

/// The connections of a listener, by one multishot accept: no system call for each.
///
/// A stream of `io::Result<TcpStream>` that never ends. Connections are accepted ahead, into a
/// queue of its own; when the queue is full, accepting stops, and goes on when it is half empty.
/// What the kernel accepts in between is kept beyond the limit.
///
/// # Errors
///
/// The errors of accept(2) are items of the stream, which goes on after them. With `EMFILE` and
/// its like, nothing is accepted for the next 100 ms.
///
/// # Cancel safety
///
/// No connection is lost by dropping a future of `next`: the queue belongs to the `Incoming`.
/// Dropping the `Incoming` itself closes the connections that were accepted and not taken, and
/// counts them in [`stats`](crate::stats); [`into_pending`](Incoming::into_pending) hands them out
/// instead. Where another process accepts from the same listener, it gets none of those that this
/// one has queued.
///
/// # Kernel
///
/// Since 5.19.
///
/// # Examples
///
/// ```no_run
/// use annulus::net::TcpListener;
/// use annulus::uring::Incoming;
/// use futures::StreamExt;
///
/// # async fn example() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut incoming = Incoming::new(listener, 128);
/// while let Some(stream) = incoming.next().await {
///     println!("{}", stream?.peer_addr()?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Incoming {
    /// Present until taken apart.
    listener: Option<TcpListener>,
    backlog: Arc<Backlog>,
    /// After a shortage, until it may be over.
    pause: Option<Timer>,
}

impl Incoming {
    /// The connections of `listener`, of which at most about `len_max` are accepted ahead.
    ///
    /// Nothing is accepted before the first poll.
    ///
    /// # Panics
    ///
    /// If `len_max` is zero.
    #[track_caller]
    pub fn new(listener: TcpListener, len_max: usize) -> Incoming {
        assert!(len_max > 0, "a queue of no connections takes none");
        let socket = listener.socket();
        let home = Arc::clone(socket.home());
        let backlog = Arc::new(Backlog::new(home, socket.fd().as_raw_fd(), len_max));
        Incoming {
            listener: Some(listener),
            backlog,
            pause: None,
        }
    }

    /// The listener.
    pub fn get_ref(&self) -> &TcpListener {
        self.listener.as_ref().expect("present until taken apart")
    }

    /// Stops accepting, and gives the listener back with the connections that were accepted and
    /// not taken.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the listener and these connections are closed.
    pub async fn into_pending(mut self) -> (TcpListener, Vec<TcpStream>) {
        let pending = poll_fn(|cx| self.backlog.poll_stopped(cx)).await;
        let listener = self.listener.take().expect("present until taken apart");
        let streams = pending.into_iter().map(TcpStream::accepted).collect();
        (listener, streams)
    }
}

impl Stream for Incoming {
    type Item = io::Result<TcpStream>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        let budget = ready!(coop::poll_proceed(cx));
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_elapsed(cx));
            self.pause = None;
        }
        let next = ready!(self.backlog.poll_next(cx));
        budget.made_progress();
        if let Err(error) = &next
            && is_shortage(error)
        {
            let home = self.get_ref().socket().home();
            // The whole of it from now on: ticks are rounded down.
            let deadline = home.clock().tick_now() + 1 + SHORTAGE_PAUSE_MS;
            self.pause = Some(Timer::new(home, deadline));
        }
        Poll::Ready(Some(next.map(TcpStream::accepted)))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let accept = self.backlog.close();
        if let Some(listener) = &self.listener {
            // The listener is closed next: its port is free only without the accept.
            listener.socket().lanes().abandon_recv(accept);
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

fn is_shortage(error: &io::Error) -> bool {
    let shortages = [os::EMFILE, os::ENFILE, os::ENOBUFS, os::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| shortages.contains(&errno))
}
