//! Looking at a UDP datagram without taking it.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use super::{RECEIVE, UdpSocket};
use crate::io::readiness::Side;
use crate::io::{Interest, ReadBuf};
use crate::net::socket::internet;

impl UdpSocket {
    /// Receives without taking: the next receive gets the same datagram.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = || self.socket.peek(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, peek).await
    }

    /// As [`peek`](UdpSocket::peek), into the free part of `buf`, which advances; of the tasks
    /// that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let peek = || self.socket.peek(buf).map(drop);
        self.socket.io.poll_io(cx, Side::Read, peek)
    }

    /// Peeks at a datagram that is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is; else as [`recv`](UdpSocket::recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = || self.socket.peek(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, peek)
    }

    /// As [`peek`](UdpSocket::peek), with the sender.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = || self.peek_addr(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, peek).await
    }

    /// As [`poll_peek`](UdpSocket::poll_peek), with the sender.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let peek = || self.peek_addr(buf);
        let (_, sender) = ready!(self.socket.io.poll_io(cx, Side::Read, peek))?;
        Poll::Ready(Ok(sender))
    }

    /// As [`try_peek`](UdpSocket::try_peek), with the sender.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no datagram; else as [`recv`](UdpSocket::recv).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let peek = || self.peek_addr(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, peek)
    }

    /// The sender of the next datagram.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        let (_, sender) = self.peek_from(&mut []).await?;
        Ok(sender)
    }

    /// As [`peek_sender`](UdpSocket::peek_sender); of the tasks that polled to receive, only
    /// the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.poll_peek_from(cx, &mut ReadBuf::new(&mut []))
    }

    /// The sender of a datagram that is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is; else as [`recv`](UdpSocket::recv).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        let (_, sender) = self.try_peek_from(&mut [])?;
        Ok(sender)
    }

    fn peek_addr(&self, buf: &mut ReadBuf<'_>) -> io::Result<(usize, SocketAddr)> {
        let (len, sender) = self.socket.peek_from(buf)?;
        Ok((len, internet(sender)?))
    }
}
