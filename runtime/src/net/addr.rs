//! Addresses from what users write: literals at once, names by the resolver.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use self::sealed::{Addrs, Internal, Resolve};

/// What can be turned into socket addresses: addresses, pairs of host and port, and text such
/// as `"127.0.0.1:80"` or `"localhost:80"`.
///
/// Addresses and literals are ready at once. Names go through the system's resolver on the
/// blocking pool; a name may have several addresses, which are tried in the resolver's order.
///
/// The trait is sealed: it can be named as a bound, and neither called nor implemented.
pub trait ToSocketAddrs: sealed::ToAddrs {}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl ToSocketAddrs for SocketAddr {}
impl ToSocketAddrs for SocketAddrV4 {}
impl ToSocketAddrs for SocketAddrV6 {}
impl ToSocketAddrs for (IpAddr, u16) {}
impl ToSocketAddrs for (Ipv4Addr, u16) {}
impl ToSocketAddrs for (Ipv6Addr, u16) {}
impl ToSocketAddrs for &[SocketAddr] {}
impl ToSocketAddrs for str {}
impl ToSocketAddrs for (&str, u16) {}
impl ToSocketAddrs for (String, u16) {}
impl ToSocketAddrs for String {}

/// Resolves `addr` into socket addresses.
///
/// # Errors
///
/// `InvalidInput` for text that is not a host and a port; the resolver's error otherwise.
///
/// # Cancel safety
///
/// Nothing is lost; a lookup that was begun runs to its end on the blocking pool.
///
/// ```
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut found = annulus::net::lookup_host("127.0.0.1:80").await?;
/// assert_eq!(found.next(), Some(([127, 0, 0, 1], 80).into()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn lookup_host<T: ToSocketAddrs>(
    addr: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    to_socket_addrs(addr).await
}

/// As [`lookup_host`], under a type that has a name.
pub(crate) fn to_socket_addrs<T: ToSocketAddrs>(addr: T) -> Resolve {
    addr.to_addrs(Internal)
}

/// Calls `attempt` with one address of `addr` after the other until one works.
///
/// # Errors
///
/// The last attempt's, or `InvalidInput` if there was no address to try.
pub(crate) async fn each_addr<A: ToSocketAddrs, R>(
    addr: A,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = no_address();
    for addr in to_socket_addrs(addr).await? {
        match attempt(addr) {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The error where a name had no address.
pub(crate) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address",
    )
}

impl<T: sealed::ToAddrs + ?Sized> sealed::ToAddrs for &T {
    fn to_addrs(&self, internal: Internal) -> Resolve {
        (**self).to_addrs(internal)
    }
}

impl sealed::ToAddrs for SocketAddr {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for SocketAddrV4 {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for SocketAddrV6 {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for (IpAddr, u16) {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for (Ipv4Addr, u16) {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for (Ipv6Addr, u16) {
    fn to_addrs(&self, _: Internal) -> Resolve {
        Resolve::one(*self)
    }
}

impl sealed::ToAddrs for &[SocketAddr] {
    fn to_addrs(&self, _: Internal) -> Resolve {
        let addrs = self.to_vec();
        Resolve::Ready(Some(Addrs::Many(addrs.into_iter())))
    }
}

impl sealed::ToAddrs for str {
    fn to_addrs(&self, internal: Internal) -> Resolve {
        if let Ok(addr) = self.parse::<SocketAddr>() {
            return Resolve::one(addr);
        }
        match split_port(self) {
            Ok(host) => host.to_addrs(internal),
            Err(text) => Resolve::Failed(Some(io::Error::new(io::ErrorKind::InvalidInput, text))),
        }
    }
}

impl sealed::ToAddrs for (&str, u16) {
    fn to_addrs(&self, _: Internal) -> Resolve {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => Resolve::one((ip, port)),
            Err(_) => Resolve::name(host.to_owned(), port),
        }
    }
}

impl sealed::ToAddrs for (String, u16) {
    fn to_addrs(&self, internal: Internal) -> Resolve {
        (self.0.as_str(), self.1).to_addrs(internal)
    }
}

impl sealed::ToAddrs for String {
    fn to_addrs(&self, internal: Internal) -> Resolve {
        self.as_str().to_addrs(internal)
    }
}

fn split_port(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("invalid socket address")?;
    Ok((host, port.parse().map_err(|_| "invalid port value")?))
}

mod sealed {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};
    use std::{io, option, vec};

    use super::SocketAddr;
    use crate::reactor::Home;
    use crate::task::{JoinHandle, spawn_blocking};

    pub trait ToAddrs {
        #[doc(hidden)]
        fn to_addrs(&self, internal: Internal) -> Resolve;
    }

    /// Keeps the sealed method from being called elsewhere.
    #[derive(Debug)]
    pub struct Internal;

    /// The lookup of an address.
    #[derive(Debug)]
    pub enum Resolve {
        Ready(Option<Addrs>),
        Failed(Option<io::Error>),
        Asked(JoinHandle<io::Result<Vec<SocketAddr>>>),
    }

    /// What was found.
    #[derive(Debug)]
    pub enum Addrs {
        One(option::IntoIter<SocketAddr>),
        Many(vec::IntoIter<SocketAddr>),
    }

    impl Resolve {
        pub(super) fn one(addr: impl Into<SocketAddr>) -> Resolve {
            Resolve::Ready(Some(Addrs::One(Some(addr.into()).into_iter())))
        }

        pub(super) fn name(host: String, port: u16) -> Resolve {
            let kernel = Home::current().kernel().clone();
            Resolve::Asked(spawn_blocking(move || kernel.getaddrinfo(&host, port)))
        }
    }

    impl Future for Resolve {
        type Output = io::Result<Addrs>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Addrs>> {
            match &mut *self {
                Resolve::Ready(addrs) => Poll::Ready(Ok(addrs.take().expect("polled after ready"))),
                Resolve::Failed(error) => {
                    Poll::Ready(Err(error.take().expect("polled after ready")))
                }
                Resolve::Asked(lookup) => {
                    let found = ready!(Pin::new(lookup).poll(cx))??;
                    Poll::Ready(Ok(Addrs::Many(found.into_iter())))
                }
            }
        }
    }

    impl Iterator for Addrs {
        type Item = SocketAddr;

        fn next(&mut self) -> Option<SocketAddr> {
            match self {
                Addrs::One(addrs) => addrs.next(),
                Addrs::Many(addrs) => addrs.next(),
            }
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            match self {
                Addrs::One(addrs) => addrs.size_hint(),
                Addrs::Many(addrs) => addrs.size_hint(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_err, assert_ready_ok, task};

    use super::*;

    fn at_once(addr: impl ToSocketAddrs) -> Vec<SocketAddr> {
        assert_ready_ok!(task::spawn(to_socket_addrs(addr)).poll()).collect()
    }

    #[test]
    fn literals_need_no_resolver() {
        let v4: SocketAddr = ([10, 0, 0, 1], 80).into();
        let v6: SocketAddr = (Ipv6Addr::LOCALHOST, 443).into();
        assert_eq!(at_once("10.0.0.1:80"), [v4]);
        assert_eq!(at_once(("10.0.0.1", 80)), [v4]);
        assert_eq!(at_once((String::from("10.0.0.1"), 80)), [v4]);
        assert_eq!(at_once("[::1]:443"), [v6]);
        assert_eq!(at_once(("::1", 443)), [v6]);
        assert_eq!(at_once(&[v4, v6][..]), [v4, v6]);
    }

    #[test]
    fn text_without_a_port_is_refused() {
        for text in ["localhost", "localhost:", "localhost:99999", ""] {
            let mut lookup = task::spawn(to_socket_addrs(text));
            let error = assert_err!(tokio_test::assert_ready!(lookup.poll()));
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text}");
        }
    }
}
