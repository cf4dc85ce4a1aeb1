//! Error numbers, as the kernel of this architecture says them.

use annulus_syscalls::{Errno, calls};

pub(crate) fn numbers() {
    for (error, name, number) in [
        (Errno::EPERM, "EPERM", 1),
        (Errno::EAGAIN, "EAGAIN", 11),
        (Errno::EDEADLK, "EDEADLK", 35),
        (Errno::ETIME, "ETIME", 62),
        (Errno::ENOBUFS, "ENOBUFS", 105),
        (Errno::EALREADY, "EALREADY", 114),
        (Errno::ECANCELED, "ECANCELED", 125),
        (Errno::EHWPOISON, "EHWPOISON", 133),
    ] {
        assert_eq!((error.raw(), error.name()), (number, Some(name)));
        assert_eq!(Errno::check((number as usize).wrapping_neg()), Err(error));
    }
    let deadlock = if cfg!(target_arch = "powerpc") {
        58
    } else {
        35
    };
    assert_eq!(Errno::EDEADLOCK.raw(), deadlock);
    let [from, to] = calls::pipe2(0).expect("a pipe");
    assert_eq!(calls::lseek(from, 0, 0), Err(Errno::ESPIPE));
    assert_eq!(calls::listen(from, 1), Err(Errno::ENOTSOCK));
    crate::calls::close(from);
    crate::calls::close(to);
    let [a, b] = calls::socketpair(1, 2, 0).expect("sockets");
    assert_eq!(calls::listen(a, 1), Err(Errno::EOPNOTSUPP));
    crate::calls::close(a);
    crate::calls::close(b);
    assert_eq!(calls::socket(9999, 1, 0), Err(Errno::EAFNOSUPPORT));
}
