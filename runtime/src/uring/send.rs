//! Sending an owned buffer.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::AsSocket;
use super::lanes::Lanes;
use crate::buf::{IoBuf, Lent};
use crate::op::Submit;
use crate::op::send::{Send, Sent};

/// Sends the initialised bytes of `buf`, as send(2).
///
/// Gives the number of bytes sent, which may be fewer than the buffer holds, and the buffer, also
/// on error. A socket has one send in flight at a time: another, and every write by tokio's API,
/// waits until this one has ended.
///
/// # Errors
///
/// As send(2): BrokenPipe, ConnectionReset, and so on; BrokenPipe after a dropped send, see below.
///
/// # Cancel safety
///
/// A send that is dropped after its first poll sends the whole buffer, or the stream is poisoned:
/// every later write fails with a text that says how many bytes went out ("3 of 10 bytes of a
/// dropped send were sent"; the number may be 0). So what the peer gets has no hole in it, and
/// nobody is left to guess. A dropped datagram is sent or not.
///
/// # Examples
///
/// ```
/// # annulus::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use annulus::io::AsyncReadExt;
/// use annulus::net::UnixStream;
///
/// let (a, mut b) = UnixStream::pair()?;
/// let (sent, _) = annulus::uring::send(&a, "hello").await;
/// let mut buf = vec![0; sent?];
/// b.read_exact(&mut buf).await?;
/// assert_eq!(buf, b"hello");
/// # std::io::Result::Ok(()) })?;
/// # std::io::Result::Ok(())
/// ```
pub async fn send<S: AsSocket + ?Sized, B: IoBuf>(socket: &S, buf: B) -> (io::Result<usize>, B) {
    let socket = socket.inner().0;
    let lanes = socket.lanes();
    let buf = Lent::source(buf);
    let ticket = match lanes.enter_send(buf.len(), S::IS_STREAM).await {
        Ok(ticket) => ticket,
        Err(error) => return (Err(error), buf.into_inner()),
    };
    let op = Send::new(socket.fd().as_raw_fd(), buf, ticket);
    let submit = Submit::new(socket.home(), op);
    let sent = Sending { submit, lanes }.await;
    if let Some(ticket) = sent.ticket {
        ticket.settle();
    }
    let result = sent.result.map_err(|errno| socket.home().error(errno));
    (result, sent.buf)
}

/// A send in flight. Dropped, it says so to the socket.
struct Sending<'a, B: IoBuf> {
    submit: Submit<Send<B>>,
    lanes: &'a Arc<Lanes>,
}

impl<B: IoBuf> Future for Sending<'_, B> {
    type Output = Sent<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent<B>> {
        Pin::new(&mut self.submit).poll(cx)
    }
}

impl<B: IoBuf> Drop for Sending<'_, B> {
    fn drop(&mut self) {
        if self.submit.in_flight() {
            self.lanes.abandon_send(self.submit.user_data());
        }
    }
}
