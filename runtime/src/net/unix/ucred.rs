//! Who is at the other end of a Unix stream.
#![forbid(unsafe_code)]

use super::{gid_t, pid_t, uid_t};

/// The credentials of a peer's process, as they were when it connected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    pub(super) fn new(pid: pid_t, uid: uid_t, gid: gid_t) -> UCred {
        // A peer outside our pid namespace has no number in it.
        let pid = (pid != 0).then_some(pid);
        UCred { pid, uid, gid }
    }

    /// The effective user of the process.
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// The effective group of the process.
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// The process, if it has a number in our pid namespace.
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}
