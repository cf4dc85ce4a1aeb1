//! What only hexagon has: its structs, filled and read by the kernel.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicI32, Ordering};

use annulus_syscalls::abi::hexagon::{
    F_DUPFD, F_GETFD, F_GETFL, F_GETLK, F_GETLK64, F_RDLCK, F_SETFD, F_SETLK, F_SETLK64, F_SETLKW,
    F_SETLKW64, F_UNLCK, F_WRLCK, flock, flock64, msghdr, stat64,
};
use annulus_syscalls::{Errno, arch, calls, nr, syscall0, syscall2, syscall3, syscall4};

use crate::calls::{close, file};

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const FAR: i64 = 0x2_0000_0000;

/// `iovec`.
#[repr(C)]
struct Part {
    base: u32,
    len: u32,
}

/// `cmsghdr` and one descriptor.
#[repr(C)]
struct Control {
    len: u32,
    level: i32,
    kind: i32,
    fd: i32,
}

fn address<T>(of: *mut T) -> u32 {
    of.expose_provenance() as u32
}

pub(crate) fn message() {
    let [a, b] = calls::socketpair(1, 2, 0).expect("sockets");
    let [from, to] = calls::pipe2(0).expect("a pipe");
    let mut buf = *b"hexagon";
    let mut part = Part {
        base: address(&raw mut buf),
        len: 7,
    };
    let mut control = Control {
        len: 16,
        level: SOL_SOCKET,
        kind: SCM_RIGHTS,
        fd: to,
    };
    let mut message = msghdr {
        msg_iov: address(&raw mut part),
        msg_iovlen: 1,
        msg_control: address(&raw mut control),
        msg_controllen: 16,
        ..msghdr::default()
    };
    // SAFETY: all that the message points to lives on this stack.
    let sent = unsafe { calls::sendmsg(a, (&raw const message).cast(), 0) };
    assert_eq!(sent, Ok(7));
    (buf, control.fd, control.len) = ([0; 7], -1, 16);
    // SAFETY: as above, and there is room for what it fills.
    let got = unsafe { calls::recvmsg(b, (&raw mut message).cast(), 0) };
    assert_eq!((got, &buf), (Ok(7), b"hexagon"));
    assert_eq!((message.msg_controllen, message.msg_flags), (16, 0));
    assert_eq!((control.level, control.kind), (SOL_SOCKET, SCM_RIGHTS));
    // It is the pipe, under another number.
    assert_ne!(control.fd, to);
    assert_eq!(calls::write(control.fd, b"x"), Ok(1));
    for fd in [a, b, from, to, control.fd] {
        close(fd);
    }
}

pub(crate) fn stat() {
    let fd = file(b"0123456789");
    let mut stat = stat64::default();
    let at = (&raw mut stat).expose_provenance();
    // SAFETY: room for the struct.
    let ret = unsafe { syscall2(nr::FSTAT64, fd as usize, at) };
    assert_eq!(Errno::check(ret), Ok(0));
    assert_eq!((stat.st_size, stat.st_mode & 0xf000), (10, 0x8000));
    assert_eq!(stat.st_nlink, 0, "a file in memory has no name");
    assert!(stat.st_blksize >= 512 && stat.st_blocks >= 1);
    assert!(stat.st_ino > 0);
    assert_eq!(stat.mtime(), stat.ctime(), "both are those of the write");
    assert!(stat.atime().tv_sec > 1_500_000_000 && stat.atime().tv_sec <= stat.mtime().tv_sec);
    assert!(stat.mtime().tv_nsec < 1_000_000_000);
    close(fd);
}

fn lock<T>(fd: i32, command: u32, of: &mut T) -> Result<usize, Errno> {
    let at = core::ptr::from_mut(of).expose_provenance();
    // SAFETY: the command takes this struct, which is borrowed for the call.
    let ret = unsafe { syscall3(nr::FCNTL64, fd as usize, command as usize, at) };
    Errno::check(ret)
}

pub(crate) fn locks() {
    let fd = file(b"0123456789");
    let mut wide = flock64 {
        l_type: F_WRLCK,
        l_start: FAR,
        l_len: 4,
        ..flock64::default()
    };
    for command in [F_SETLK64, F_SETLKW64] {
        assert_eq!(lock(fd, command, &mut wide), Ok(0));
    }
    // Our own lock is in nobody's way here; what the kernel fills in is the type alone.
    assert_eq!(lock(fd, F_GETLK64, &mut wide), Ok(0));
    assert_eq!((wide.l_type, wide.l_start, wide.l_len), (F_UNLCK, FAR, 4));
    assert_eq!(lock(fd, F_SETLK64, &mut wide), Ok(0));
    let mut narrow = flock {
        l_type: F_RDLCK,
        l_start: 2,
        l_len: 4,
        ..flock::default()
    };
    for command in [F_SETLK, F_SETLKW] {
        assert_eq!(lock(fd, command, &mut narrow), Ok(0));
    }
    assert_eq!(lock(fd, F_GETLK, &mut narrow), Ok(0));
    assert_eq!(
        (narrow.l_type, narrow.l_start, narrow.l_len),
        (F_UNLCK, 2, 4)
    );
    // SAFETY: commands with an integer.
    let control = |command, arg| unsafe { calls::fcntl(fd, command, arg) };
    assert_eq!(control(F_SETFD, 1), Ok(0));
    assert_eq!(control(F_GETFD, 0), Ok(1));
    assert_eq!(control(F_GETFL, 0).map(|flags| flags & 3), Ok(2));
    let copy = control(F_DUPFD, 100).expect("a duplicate");
    assert!(copy >= 100);
    close(copy as i32);
    close(fd);
}

/// The number that the handler was called with.
static SEEN: AtomicI32 = AtomicI32::new(0);

/// Notes its number, and goes to the restorer with the kernel's frame on the stack, as if that
/// had been its return address: hexagon takes none from us.
#[unsafe(naked)]
unsafe extern "C" fn handler(number: i32) {
    naked_asm!(
        "r1 = ##{seen}",
        "memw(r1+#0) = r0",
        "jump {restore}",
        seen = sym SEEN,
        restore = sym arch::restore_rt,
    )
}

pub(crate) fn signal() {
    /// `sigaction` of the kernel: no restorer.
    #[repr(C)]
    struct Action {
        handler: unsafe extern "C" fn(i32),
        flags: u32,
        mask: [u32; 2],
    }
    const SIGUSR1: usize = 10;
    let action = Action {
        handler,
        flags: 4,
        mask: [0; 2],
    };
    let at = (&raw const action).expose_provenance();
    // SAFETY: the action lives on, and its handler does only what a handler may.
    let ret = unsafe { syscall4(nr::RT_SIGACTION, SIGUSR1, at, 0, 8) };
    assert_eq!(Errno::check(ret), Ok(0));
    for _ in 0..2 {
        SEEN.store(0, Ordering::SeqCst);
        // SAFETY: takes nothing and changes nothing.
        let pid = unsafe { syscall0(nr::GETPID) };
        // SAFETY: a signal to ourselves, which has a handler.
        let ret = unsafe { syscall2(nr::KILL, pid, SIGUSR1) };
        // Back here, with the registers as they were, and not masked for the second time.
        assert_eq!(
            (Errno::check(ret), SEEN.load(Ordering::SeqCst)),
            (Ok(0), 10)
        );
    }
}
