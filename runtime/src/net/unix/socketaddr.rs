//! The address of a Unix socket.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::SocketAddr as StdAddr;
use std::path::Path;

use annulus_ring::SockAddr;

/// The address of a Unix socket: a path, a name of the abstract namespace, or none.
#[derive(Clone)]
pub struct SocketAddr(StdAddr);

impl SocketAddr {
    /// Whether the socket is bound to nothing.
    ///
    /// ```
    /// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let (ours, _theirs) = annulus::net::UnixStream::pair()?;
    /// assert!(ours.local_addr()?.is_unnamed());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn is_unnamed(&self) -> bool {
        self.0.is_unnamed()
    }

    /// The path that the socket is bound to, if it is one.
    pub fn as_pathname(&self) -> Option<&Path> {
        self.0.as_pathname()
    }

    /// The name in the abstract namespace, without its leading zero, if it is one.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        self.0.as_abstract_name()
    }

    /// The address that `path` names: of the abstract namespace if it begins with a zero byte.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is longer than 107 bytes, or holds a zero byte elsewhere.
    pub(super) fn from_path(path: &Path) -> io::Result<SocketAddr> {
        let addr = match path.as_os_str().as_bytes() {
            [0, name @ ..] => StdAddr::from_abstract_name(name)?,
            _ => StdAddr::from_pathname(path)?,
        };
        Ok(SocketAddr(addr))
    }

    /// What the kernel calls the address.
    pub(super) fn to_raw(&self) -> io::Result<SockAddr> {
        match (self.as_pathname(), self.as_abstract_name()) {
            (Some(path), _) => SockAddr::unix(path),
            (None, Some(name)) => {
                let name = [&[0], name].concat();
                SockAddr::unix(std::ffi::OsString::from_vec(name))
            }
            (None, None) => SockAddr::unix(""),
        }
    }

    /// The address as the kernel gave it; a peer without a name may come without a family too.
    pub(super) fn from_raw(raw: &SockAddr) -> io::Result<SocketAddr> {
        let addr = match (raw.as_pathname(), raw.as_abstract_namespace()) {
            (Some(path), _) => StdAddr::from_pathname(path)?,
            (None, Some(name)) => StdAddr::from_abstract_name(name)?,
            (None, None) => StdAddr::from_pathname("")?,
        };
        Ok(SocketAddr(addr))
    }
}

impl fmt::Debug for SocketAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<StdAddr> for SocketAddr {
    fn from(addr: StdAddr) -> SocketAddr {
        SocketAddr(addr)
    }
}

impl From<SocketAddr> for StdAddr {
    fn from(addr: SocketAddr) -> StdAddr {
        addr.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_survives_the_kernel_form() {
        let path = SocketAddr::from_path(Path::new("/run/annulus.sock")).unwrap();
        let name = SocketAddr::from_path(Path::new("\0annulus")).unwrap();
        let path = SocketAddr::from_raw(&path.to_raw().unwrap()).unwrap();
        let name = SocketAddr::from_raw(&name.to_raw().unwrap()).unwrap();
        assert_eq!(path.as_pathname(), Some(Path::new("/run/annulus.sock")));
        assert_eq!(name.as_abstract_name(), Some(&b"annulus"[..]));
        assert!(!path.is_unnamed() && !name.is_unnamed());
    }

    #[test]
    fn a_path_that_does_not_fit_is_refused() {
        let long = "x".repeat(108);
        let error = SocketAddr::from_path(Path::new(&long)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
