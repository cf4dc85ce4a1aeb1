//! Calls of the kernel: every width of register, both results, and the forms that a 32-bit
//! machine has of its own.

use core::ptr;

use annulus_syscalls::io_uring::io_uring_params;
#[cfg(target_arch = "riscv32")]
use annulus_syscalls::syscall5;
use annulus_syscalls::{Errno, calls, nr, syscall0, syscall2};

pub(crate) const AT_FDCWD: i32 = -100;
const AF_UNIX: i32 = 1;
const SOCK_DGRAM: i32 = 2;
const SOL_SOCKET: i32 = 1;
const SO_TYPE: i32 = 3;
const SEEK_SET: u32 = 0;
const SEEK_END: u32 = 2;
const TYPE_MASK: u32 = 0xf000;
const CHARACTER_DEVICE: u32 = 0x2000;
const REGULAR_FILE: u32 = 0x8000;

pub(crate) fn close(fd: i32) {
    // SAFETY: the caller made it and does not use it afterwards.
    let closed = unsafe { calls::close(fd) };
    assert_eq!(closed, Ok(()));
}

/// A file in memory that begins with `contents`.
pub(crate) fn file(contents: &[u8]) -> i32 {
    let name = c"whole".as_ptr().expose_provenance();
    // SAFETY: the name ends in a NUL and lives on.
    let ret = unsafe { syscall2(nr::MEMFD_CREATE, name, 0) };
    let fd = Errno::check(ret).expect("a file in memory") as i32;
    assert_eq!(calls::write(fd, contents), Ok(contents.len()));
    fd
}

pub(crate) fn identity() {
    // SAFETY: takes nothing and changes nothing.
    let pid = unsafe { syscall0(nr::GETPID) };
    // SAFETY: takes nothing and changes nothing.
    let tid = unsafe { syscall0(nr::GETTID) };
    assert!(Errno::check(pid).is_ok_and(|pid| pid > 0));
    assert_eq!(pid, tid);
}

pub(crate) fn pipe() {
    let [from, to] = calls::pipe2(0).expect("a pipe");
    assert_eq!(calls::write(to, b"annulus"), Ok(7));
    let mut buf = [0; 16];
    // SAFETY: the buffer has 16 bytes.
    let read = unsafe { calls::read(from, buf.as_mut_ptr(), 16) };
    assert_eq!((read, &buf[..7]), (Ok(7), &b"annulus"[..]));
    close(from);
    assert_eq!(calls::write(-1, b"a"), Err(Errno::EBADF));
    close(to);
}

/// Type and size of `fd`, by the `stat` of this architecture.
#[cfg(not(target_arch = "riscv32"))]
fn stat_of(fd: i32) -> (u32, u64) {
    let mut words = [0_u64; 32];
    let at = words.as_mut_ptr();
    #[cfg(target_pointer_width = "64")]
    let number = nr::FSTAT;
    #[cfg(target_pointer_width = "32")]
    let number = nr::FSTAT64;
    // SAFETY: every `stat` is smaller than the 256 bytes.
    let ret = unsafe { syscall2(number, fd as usize, at.expose_provenance()) };
    assert_eq!(Errno::check(ret), Ok(0));
    // s390x has 64 bits for the links, and them before the type.
    let mode_at = if cfg!(target_arch = "s390x") { 6 } else { 4 };
    let halves = at.cast::<u32>();
    // SAFETY: within the 256 bytes.
    let mode = unsafe { halves.add(mode_at) };
    // SAFETY: aligned, and any bytes are a number.
    (unsafe { mode.read() } & TYPE_MASK, words[6])
}

/// Type and size of `fd`, by `statx`, as riscv32 has no `stat`.
#[cfg(target_arch = "riscv32")]
fn stat_of(fd: i32) -> (u32, u64) {
    const AT_EMPTY_PATH: usize = 0x1000;
    let mut words = [0_u64; 32];
    let at = words.as_mut_ptr().expose_provenance();
    let path = c"".as_ptr().expose_provenance();
    // SAFETY: a `statx` has 256 bytes, and the path ends in a NUL.
    let ret = unsafe { syscall5(nr::STATX, fd as usize, path, AT_EMPTY_PATH, 0x7ff, at) };
    assert_eq!(Errno::check(ret), Ok(0));
    // The type is the lower half of the word at 28.
    ((words[3] >> 32) as u32 & TYPE_MASK, words[5])
}

pub(crate) fn stat() {
    let null = calls::openat(AT_FDCWD, c"/dev/null", 0, 0).expect("opened");
    assert_eq!(stat_of(null), (CHARACTER_DEVICE, 0));
    close(null);
    let fd = file(b"0123456789");
    assert_eq!(stat_of(fd), (REGULAR_FILE, 10));
    close(fd);
    let missing = calls::openat(AT_FDCWD, c"/nowhere/at/all", 0, 0);
    assert_eq!(missing, Err(Errno::ENOENT));
}

pub(crate) fn offsets() {
    const FAR: u64 = 0x3_1234_5678;
    let fd = file(b"near");
    assert_eq!(calls::lseek(fd, FAR as i64, SEEK_SET), Ok(FAR));
    assert_eq!(calls::write(fd, b"far"), Ok(3));
    assert_eq!(calls::lseek(fd, -3, SEEK_END), Ok(FAR));
    let mut buf = [0; 8];
    // SAFETY: the buffer has eight bytes.
    let read = unsafe { calls::pread64(fd, buf.as_mut_ptr(), 8, FAR) };
    assert_eq!((read, &buf[..3]), (Ok(3), &b"far"[..]));
    // SAFETY: the buffer has eight bytes.
    let read = unsafe { calls::pread64(fd, buf.as_mut_ptr(), 4, 0) };
    assert_eq!((read, &buf[..4]), (Ok(4), &b"near"[..]));
    close(fd);
}

pub(crate) fn memory() {
    const PAGE: usize = 0x1_0000;
    const MADV_DONTNEED: u32 = 4;
    let fd = calls::openat(AT_FDCWD, c"/dev/null", 0, 0).expect("opened");
    // SAFETY: a fresh private mapping at an address of the kernel's choice.
    let page = unsafe { calls::mmap(PAGE, 3, 0x22, -1, 0) }.expect("memory");
    // SAFETY: mapped, writable, and ours alone.
    unsafe { page.as_ptr().write(7) };
    // SAFETY: ours, and nobody needs what is in it.
    assert_eq!(unsafe { calls::madvise(page, PAGE, MADV_DONTNEED) }, Ok(()));
    // SAFETY: mapped, readable, and ours alone.
    assert_eq!(unsafe { page.as_ptr().read() }, 0);
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::munmap(page, PAGE) }, Ok(()));
    close(fd);
    let fd = file(&[]);
    assert_eq!(calls::lseek(fd, 0x1_0000, SEEK_SET), Ok(0x1_0000));
    assert_eq!(calls::write(fd, b"second"), Ok(6));
    // SAFETY: a fresh private mapping of our file, from an offset.
    let page = unsafe { calls::mmap(6, 1, 2, fd, 0x1_0000) }.expect("the file");
    // SAFETY: six bytes of the file were mapped there.
    let bytes = unsafe { page.cast::<[u8; 6]>().as_ptr().read() };
    assert_eq!(&bytes, b"second");
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::munmap(page, 6) }, Ok(()));
    close(fd);
}

pub(crate) fn sockets() {
    let [a, b] = calls::socketpair(AF_UNIX, SOCK_DGRAM, 0).expect("sockets");
    // SAFETY: no address goes with it.
    let sent = unsafe { calls::sendto(a, b"six", 0, ptr::null(), 0) };
    assert_eq!(sent, Ok(3));
    let mut buf = [0; 8];
    // SAFETY: the buffer has eight bytes, and no address is asked for.
    let got =
        unsafe { calls::recvfrom(b, buf.as_mut_ptr(), 8, 0, ptr::null_mut(), ptr::null_mut()) };
    assert_eq!((got, &buf[..3]), (Ok(3), &b"six"[..]));
    let mut kind = [0; 4];
    // SAFETY: the option holds no address.
    let got = unsafe { calls::getsockopt(a, SOL_SOCKET, SO_TYPE, &mut kind) };
    assert_eq!(got, Ok(4));
    assert_eq!(i32::from_ne_bytes(kind), SOCK_DGRAM);
    close(a);
    close(b);
}

/// qemu has no rings; a kernel that has one gives it.
pub(crate) fn no_ring() {
    let mut params = io_uring_params::default();
    // SAFETY: no flags, so no memory of ours.
    match unsafe { calls::io_uring_setup(4, &mut params) } {
        Ok(fd) => close(fd),
        Err(error) => assert_eq!(error, Errno::ENOSYS),
    }
}
