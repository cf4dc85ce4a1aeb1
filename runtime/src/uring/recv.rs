//! Receiving into an owned buffer.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::AsSocket;
use super::lanes::Lanes;
use crate::buf::{IoBufMut, fill_with};
use crate::op::Submit;
use crate::op::recv::{Received, Recv};

/// Receives bytes, or a datagram, into `buf`, as recv(2).
///
/// Gives the number of bytes, at most the buffer's capacity, and 0 at the end of a stream; and
/// the buffer, also on error. See [`IoBufMut::set_init`] for what becomes of the buffer's length.
///
/// A socket has one receive in flight at a time: another, be it by this function or by tokio's
/// API, waits until this one has ended.
///
/// # Errors
///
/// As recv(2): ConnectionReset, and so on.
///
/// # Cancel safety
///
/// No byte of a stream is lost: what a dropped receive brought is the next read's, whichever API
/// that uses. A datagram that a dropped receive took is lost, as datagrams may be.
///
/// # Examples
///
/// ```
/// # annulus::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use annulus::io::AsyncWriteExt;
/// use annulus::net::UnixStream;
///
/// let (mut a, b) = UnixStream::pair()?;
/// a.write_all(b"hello").await?;
/// let (n, buf) = annulus::uring::recv(&b, Vec::with_capacity(64)).await;
/// assert_eq!((n?, &buf[..]), (5, &b"hello"[..]));
/// # std::io::Result::Ok(()) })?;
/// # std::io::Result::Ok(())
/// ```
pub async fn recv<S: AsSocket + ?Sized, B: IoBufMut>(
    socket: &S,
    mut buf: B,
) -> (io::Result<usize>, B) {
    let socket = socket.inner().0;
    let lanes = socket.lanes();
    let ticket = lanes.enter_recv(S::IS_STREAM).await;
    match poll_fn(|cx| fill_with(&mut buf, |dst| socket.poll_leftover(cx, dst))).await {
        Ok(None) => {}
        Ok(Some(len)) => return (Ok(len), buf),
        Err(error) => return (Err(error), buf),
    }
    let op = Recv::new(socket.fd().as_raw_fd(), buf, ticket);
    let submit = Submit::new(socket.home(), op);
    let received = Receiving { submit, lanes }.await;
    let result = received.result.map_err(|errno| socket.home().error(errno));
    (result, received.buf)
}

/// A receive in flight. Dropped, it says so to the socket.
struct Receiving<'a, B: IoBufMut> {
    submit: Submit<Recv<B>>,
    lanes: &'a Arc<Lanes>,
}

impl<B: IoBufMut> Future for Receiving<'_, B> {
    type Output = Received<B>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Received<B>> {
        Pin::new(&mut self.submit).poll(cx)
    }
}

impl<B: IoBufMut> Drop for Receiving<'_, B> {
    fn drop(&mut self) {
        if self.submit.in_flight() {
            self.lanes.abandon_recv(self.submit.user_data());
        }
    }
}
