//! Sending an owned buffer without copying it into the kernel.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use annulus_ring::{Errno, Opcode};

use super::AsSocket;
use super::lanes::Lanes;
use crate::buf::{IoBuf, Lent};
use crate::op::Submit;
use crate::op::send_zc::{Progress, SendZc};

/// Sends the initialised bytes of `buf` out of its own memory.
///
/// Gives the number of bytes sent, which may be fewer than the buffer holds, as soon as the socket
/// has taken them; and a future of the buffer, which is ready when the network needs it no more,
/// with TCP when the peer has acknowledged the bytes. It pays from some ten kilobytes on; below,
/// the copy of [`send`](super::send) is cheaper.
///
/// # Errors
///
/// As [`send`](super::send); Unsupported where the kernel or the kind of socket (Unix streams)
/// cannot send without a copy.
///
/// # Cancel safety
///
/// As [`send`](super::send) until the result is there. The buffer is freed when the kernel has let
/// go of it, whatever is dropped.
///
/// # Kernel
///
/// Since 6.0; else Unsupported.
///
/// # Examples
///
/// ```no_run
/// # async fn example(stream: annulus::net::TcpStream) -> std::io::Result<()> {
/// let block = vec![7; 64 * 1024];
/// let (sent, block) = annulus::uring::send_zc(&stream, block).await;
/// println!("{} bytes are on their way", sent?);
/// let block = block.await; // and now they are there
/// # Ok(())
/// # }
/// ```
pub async fn send_zc<S: AsSocket + ?Sized, B: IoBuf>(
    socket: &S,
    buf: B,
) -> (io::Result<usize>, ZcBuf<B>) {
    let socket = socket.inner().0;
    if !socket.home().kernel().supports(Opcode::SEND_ZC) {
        let error = io::Error::new(
            io::ErrorKind::Unsupported,
            "sending without a copy needs Linux 6.0: use send",
        );
        return (
            Err(error),
            ZcBuf {
                stage: Stage::Here(buf),
            },
        );
    }
    let lanes = socket.lanes();
    let buf = Lent::source(buf);
    let ticket = match lanes.enter_send(buf.len(), S::IS_STREAM).await {
        Ok(ticket) => ticket,
        Err(error) => {
            return (
                Err(error),
                ZcBuf {
                    stage: Stage::Here(buf.into_inner()),
                },
            );
        }
    };
    let progress = Arc::new(Progress::new(ticket));
    let op = SendZc::new(socket.fd().as_raw_fd(), buf, Arc::clone(&progress));
    let submit = Submit::new(socket.home(), op);
    let mut sending = Sending {
        stage: Stage::InKernel(submit),
        progress,
        lanes,
    };
    let (result, buf) = poll_fn(|cx| sending.poll_result(cx)).await;
    (result.map_err(|errno| socket.home().error(errno)), buf)
}

/// The buffer of a [`send_zc`]: a future that is ready when the kernel has let go of it.
///
/// # Cancel safety
///
/// Dropped, the buffer is freed when the kernel has let go of it; what was sent is on its way.
#[must_use = "the buffer comes back when this is awaited"]
pub struct ZcBuf<B: IoBuf> {
    stage: Stage<B>,
}

enum Stage<B: IoBuf> {
    InKernel(Submit<SendZc<B>>),
    Here(B),
    Done,
}

impl<B: IoBuf> std::fmt::Debug for ZcBuf<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match self.stage {
            Stage::InKernel(_) => "in the kernel",
            Stage::Here(_) => "here",
            Stage::Done => "given back",
        };
        f.debug_tuple("ZcBuf").field(&place).finish()
    }
}

// Nothing in it is pinned: what the kernel reads lies on the heap.
impl<B: IoBuf> Unpin for ZcBuf<B> {}

impl<B: IoBuf> Future for ZcBuf<B> {
    type Output = B;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B> {
        if let Stage::InKernel(submit) = &mut self.stage {
            let sent = ready!(Pin::new(submit).poll(cx));
            self.stage = Stage::Here(sent.buf);
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Here(buf) => Poll::Ready(buf),
            Stage::InKernel(_) | Stage::Done => panic!("a ZcBuf was polled after it was ready"),
        }
    }
}

/// A send whose result is not there yet. Dropped, it says so to the socket.
struct Sending<'a, B: IoBuf> {
    stage: Stage<B>,
    progress: Arc<Progress>,
    lanes: &'a Arc<Lanes>,
}

impl<B: IoBuf> Sending<'_, B> {
    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<(Result<usize, Errno>, ZcBuf<B>)> {
        // First, so that a result that arrives from here on wakes this task.
        self.progress.waker.register(cx.waker());
        if let Stage::InKernel(submit) = &mut self.stage
            && let Poll::Ready(sent) = Pin::new(submit).poll(cx)
        {
            self.stage = Stage::Here(sent.buf);
        }
        let Some(result) = self.progress.result() else {
            return Poll::Pending;
        };
        if let Some(ticket) = self.progress.take_ticket() {
            ticket.settle();
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        Poll::Ready((result, ZcBuf { stage }))
    }
}

impl<B: IoBuf> Drop for Sending<'_, B> {
    fn drop(&mut self) {
        if let Stage::InKernel(submit) = &self.stage
            && submit.in_flight()
        {
            self.lanes.abandon_send(submit.user_data());
        }
    }
}
