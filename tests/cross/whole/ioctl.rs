//! Requests: the vectors of every group, and what the host's own kernel takes.

#[path = "../../../syscalls/tests/ioctl/vectors.rs"]
mod vectors;

use annulus_syscalls::ioctl::{self, Layout};
use annulus_syscalls::{Errno, calls, nr, syscall3};

use crate::calls::close;
use vectors::{OLD, VECTORS, encoded, old};

pub(crate) fn vectors() {
    for &(layout, expected) in VECTORS {
        assert_eq!(encoded(layout), expected, "{layout:?}");
    }
    for &(numbering, expected) in OLD {
        assert_eq!(old(numbering), expected, "{numbering:?}");
    }
    let generic = !cfg!(any(target_arch = "powerpc", target_arch = "powerpc64"));
    assert_eq!(Layout::HOST == Layout::Generic, generic);
}

pub(crate) fn host() {
    let [from, to] = calls::pipe2(0).expect("a pipe");
    assert_eq!(calls::write(to, b"seven!!"), Ok(7));
    let mut ready = 0_i32;
    let address = (&raw mut ready).expose_provenance();
    // SAFETY: FIONREAD fills the i32 at the address, which is alive.
    let ret = unsafe { syscall3(nr::IOCTL, from as usize, ioctl::FIONREAD as usize, address) };
    assert_eq!((Errno::check(ret), ready), (Ok(0), 7));
    let one = 1_i32;
    let address = (&raw const one).expose_provenance();
    // SAFETY: FIONBIO reads the i32 at the address, which is alive.
    let ret = unsafe { syscall3(nr::IOCTL, from as usize, ioctl::FIONBIO as usize, address) };
    assert_eq!(Errno::check(ret), Ok(0));
    let mut buf = [0; 8];
    for expected in [Ok(7), Err(Errno::EAGAIN)] {
        // SAFETY: the buffer has eight bytes.
        let read = unsafe { calls::read(from, buf.as_mut_ptr(), 8) };
        assert_eq!(read, expected);
    }
    close(from);
    close(to);
}
