//! The options of a TCP connection.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use super::stream::TcpStream;
use crate::net::options::{NODELAY, QUICKACK, TTL_V4};

impl TcpStream {
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().options().flag(NODELAY)
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().options().set_flag(NODELAY, nodelay)
    }

    /// Whether segments are acknowledged at once (`TCP_QUICKACK`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn quickack(&self) -> io::Result<bool> {
        self.socket().options().flag(QUICKACK)
    }

    /// Sets whether segments are acknowledged at once (`TCP_QUICKACK`); the kernel takes it
    /// back by itself.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.socket().options().set_flag(QUICKACK, quickack)
    }

    /// How long closing may wait for unsent data, in whole seconds (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket().options().linger()
    }

    /// Sets how long closing may wait for unsent data, in whole seconds (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[deprecated = "with a linger time, dropping the stream blocks its worker"]
    pub fn set_linger(&self, wait: Option<Duration>) -> io::Result<()> {
        self.socket().options().set_linger(wait)
    }

    /// Makes closing discard unsent data and reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.socket().options().set_linger(Some(Duration::ZERO))
    }

    /// The time to live of packets sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket().options().uint(TTL_V4)
    }

    /// Sets the time to live of packets sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().options().set_uint(TTL_V4, ttl)
    }
}
