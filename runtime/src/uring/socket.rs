//! What the operations of this module work on.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::net::{TcpStream, UdpSocket, UnixStream};

/// A socket that [`recv`](super::recv), [`send`](super::send) and [`send_zc`](super::send_zc)
/// work on: [`TcpStream`], [`UnixStream`] or [`UdpSocket`], also in an [`Arc`].
///
/// The trait is sealed: it can be named as a bound, and neither called nor implemented.
pub trait AsSocket: sealed::Sealed {}

impl AsSocket for TcpStream {}
impl AsSocket for UnixStream {}
impl AsSocket for UdpSocket {}
impl<T: AsSocket> AsSocket for Arc<T> {}

pub(super) mod sealed {
    use std::sync::Arc;

    use crate::net::socket::Socket;
    use crate::net::{TcpStream, UdpSocket, UnixStream};

    pub trait Sealed {
        /// Whether it carries a stream of bytes, not datagrams.
        #[doc(hidden)]
        const IS_STREAM: bool;

        #[doc(hidden)]
        fn inner(&self) -> Inner<'_>;
    }

    /// What nobody outside can look into.
    #[derive(Debug)]
    pub struct Inner<'a>(pub(crate) &'a Socket);

    impl Sealed for TcpStream {
        const IS_STREAM: bool = true;

        fn inner(&self) -> Inner<'_> {
            Inner(self.socket())
        }
    }

    impl Sealed for UnixStream {
        const IS_STREAM: bool = true;

        fn inner(&self) -> Inner<'_> {
            Inner(self.socket())
        }
    }

    impl Sealed for UdpSocket {
        const IS_STREAM: bool = false;

        fn inner(&self) -> Inner<'_> {
            Inner(self.socket())
        }
    }
    impl<T: Sealed> Sealed for Arc<T> {
        const IS_STREAM: bool = T::IS_STREAM;

        fn inner(&self) -> Inner<'_> {
            (**self).inner()
        }
    }
}
