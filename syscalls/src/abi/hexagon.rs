//! Types, structs and commands of hexagon, as its kernel has them.
//!
//! Addresses are `u32`, so the layouts are the same on every host; const asserts hold them, and
//! `tests/cross` lets an emulated hexagon fill them.
//!
//! ```
//! use annulus_syscalls::abi::hexagon::{F_WRLCK, flock64};
//!
//! // All of the file, for writing: 32 bytes for fcntl64 with F_SETLK64.
//! let lock = flock64 { l_type: F_WRLCK, ..flock64::default() };
//! assert_eq!((size_of_val(&lock), lock.l_start, lock.l_len), (32, 0, 0));
//! ```
//!
//! Not provided: the symbols of the vdso, which has a trampoline for signals (so the kernel needs
//! no restorer, and takes none) and no clock; and `ucontext_t` with `getcontext`, whose registers
//! no call takes. The struct for them would be `user_regs_struct` of `asm/user.h`.

/// Device numbers.
#[allow(non_camel_case_types)]
pub type dev_t = u64;
/// Inodes.
#[allow(non_camel_case_types)]
pub type ino_t = u64;
/// Type and permissions of a file.
#[allow(non_camel_case_types)]
pub type mode_t = u32;
/// How many names a file has.
#[allow(non_camel_case_types)]
pub type nlink_t = u32;
/// Sizes and offsets of files, in bytes.
#[allow(non_camel_case_types)]
pub type off_t = i64;
/// The preferred size of a read, in bytes.
#[allow(non_camel_case_types)]
pub type blksize_t = i32;
/// Counts of blocks of 512 bytes.
#[allow(non_camel_case_types)]
pub type blkcnt_t = i64;
/// Seconds since 1970, until 2038. Calls with `time64` in their names take 64 bits.
#[allow(non_camel_case_types)]
pub type time_t = i32;
/// Indices of symbols in the hash table of an ELF file.
#[allow(non_camel_case_types)]
pub type Elf_Symndx = u32;

/// `timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct timeval {
    /// Seconds.
    pub tv_sec: time_t,
    /// Microseconds, below 1,000,000.
    pub tv_usec: i32,
}

/// `timespec` of the calls with 32-bit time.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct timespec {
    /// Seconds.
    pub tv_sec: time_t,
    /// Nanoseconds, below 1,000,000,000.
    pub tv_nsec: i32,
}

/// `flock`: a lock's range in the first 2 GiB, for [`F_GETLK`], [`F_SETLK`] and [`F_SETLKW`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct flock {
    /// [`F_RDLCK`], [`F_WRLCK`] or [`F_UNLCK`].
    pub l_type: i16,
    /// What `l_start` counts from: `SEEK_*`.
    pub l_whence: i16,
    /// The first byte.
    pub l_start: i32,
    /// How many bytes; 0 is all to the end.
    pub l_len: i32,
    /// Who holds the lock that is in the way.
    pub l_pid: i32,
}

/// `flock64`: a lock's range, for [`F_GETLK64`], [`F_SETLK64`] and [`F_SETLKW64`] through
/// `fcntl64`. The commands without 64 take a [`flock`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct flock64 {
    /// [`F_RDLCK`], [`F_WRLCK`] or [`F_UNLCK`].
    pub l_type: i16,
    /// What `l_start` counts from: `SEEK_*`.
    pub l_whence: i16,
    /// Padding.
    pub pad: u32,
    /// The first byte.
    pub l_start: off_t,
    /// How many bytes; 0 is all to the end.
    pub l_len: off_t,
    /// Who holds the lock that is in the way.
    pub l_pid: i32,
    /// Padding.
    pub unused: u32,
}

/// `msghdr`: 28 bytes, without the padding that 64-bit machines have. One struct for sending and
/// receiving: an address says nothing of who writes there.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct msghdr {
    /// Address of the socket address, or 0.
    pub msg_name: u32,
    /// Its length in bytes.
    pub msg_namelen: u32,
    /// Address of the `iovec`s.
    pub msg_iov: u32,
    /// How many there are.
    pub msg_iovlen: u32,
    /// Address of the control messages, or 0.
    pub msg_control: u32,
    /// Their length in bytes.
    pub msg_controllen: u32,
    /// `MSG_*`, on return.
    pub msg_flags: u32,
}

/// `stat64`, as `fstat64` fills it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct stat64 {
    /// The device the file is on.
    pub st_dev: dev_t,
    /// The inode.
    pub st_ino: ino_t,
    /// Type and permissions.
    pub st_mode: mode_t,
    /// How many names it has.
    pub st_nlink: nlink_t,
    /// The owner.
    pub st_uid: u32,
    /// The group.
    pub st_gid: u32,
    /// The device that it is.
    pub st_rdev: dev_t,
    /// Padding.
    pub pad: [u32; 2],
    /// The size in bytes.
    pub st_size: off_t,
    /// The preferred size of a read in bytes.
    pub st_blksize: blksize_t,
    /// Padding.
    pub pad2: u32,
    /// How many blocks of 512 bytes it takes.
    pub st_blocks: blkcnt_t,
    /// The last access.
    pub st_atim: timespec,
    /// The last change of the contents.
    pub st_mtim: timespec,
    /// The last change of the inode.
    pub st_ctim: timespec,
    /// Padding.
    pub unused: [u32; 2],
}

impl stat64 {
    /// The last access.
    #[must_use]
    pub const fn atime(&self) -> timespec {
        self.st_atim
    }

    /// The last change of the contents.
    #[must_use]
    pub const fn mtime(&self) -> timespec {
        self.st_mtim
    }

    /// The last change of the inode.
    #[must_use]
    pub const fn ctime(&self) -> timespec {
        self.st_ctim
    }
}

/// `fcntl64`: the least free descriptor from the argument on becomes a duplicate.
pub const F_DUPFD: u32 = 0;
/// `fcntl64`: gives the flags of the descriptor.
pub const F_GETFD: u32 = 1;
/// `fcntl64`: sets them: `FD_CLOEXEC` 1, or 0.
pub const F_SETFD: u32 = 2;
/// `fcntl64`: gives the `O_*` of the open file.
pub const F_GETFL: u32 = 3;
/// `fcntl64`: sets those that can be set.
pub const F_SETFL: u32 = 4;
/// `fcntl64`: which lock is in the way of a [`flock`].
pub const F_GETLK: u32 = 5;
/// `fcntl64`: takes or drops a [`flock`] at once.
pub const F_SETLK: u32 = 6;
/// `fcntl64`: takes a [`flock`], waiting for it.
pub const F_SETLKW: u32 = 7;
/// `fcntl64`: sets who gets SIGIO: a process, or minus a group.
pub const F_SETOWN: u32 = 8;
/// `fcntl64`: gives who gets SIGIO.
pub const F_GETOWN: u32 = 9;
/// `fcntl64`: sets the signal in the place of SIGIO; 0 for SIGIO itself.
pub const F_SETSIG: u32 = 10;
/// `fcntl64`: gives it.
pub const F_GETSIG: u32 = 11;
/// `fcntl64`: which lock is in the way of a [`flock64`].
pub const F_GETLK64: u32 = 12;
/// `fcntl64`: takes or drops a [`flock64`] at once.
pub const F_SETLK64: u32 = 13;
/// `fcntl64`: takes a [`flock64`], waiting for it.
pub const F_SETLKW64: u32 = 14;
/// `fcntl64`: sets who gets SIGIO: a `f_owner_ex`, kind and number.
pub const F_SETOWN_EX: u32 = 15;
/// `fcntl64`: fills a `f_owner_ex`.
pub const F_GETOWN_EX: u32 = 16;
/// `fcntl64`: fills two `u32`, the real and the effective user of who gets SIGIO.
pub const F_GETOWNER_UIDS: u32 = 17;

/// A lock that others may share.
pub const F_RDLCK: i16 = 0;
/// A lock of its own.
pub const F_WRLCK: i16 = 1;
/// No lock: to drop one, and where none is in the way.
pub const F_UNLCK: i16 = 2;

const _: () = {
    use core::mem::offset_of;

    assert!(size_of::<timeval>() == 8 && align_of::<timeval>() == 4);
    assert!(size_of::<timespec>() == 8 && align_of::<timespec>() == 4);

    assert!(size_of::<flock>() == 16 && align_of::<flock>() == 4);
    assert!(offset_of!(flock, l_start) == 4);
    assert!(offset_of!(flock, l_pid) == 12);

    assert!(size_of::<flock64>() == 32 && align_of::<flock64>() == 8);
    assert!(offset_of!(flock64, l_start) == 8);
    assert!(offset_of!(flock64, l_len) == 16);
    assert!(offset_of!(flock64, l_pid) == 24);

    assert!(size_of::<msghdr>() == 28 && align_of::<msghdr>() == 4);
    assert!(offset_of!(msghdr, msg_namelen) == 4);
    assert!(offset_of!(msghdr, msg_iov) == 8);
    assert!(offset_of!(msghdr, msg_iovlen) == 12);
    assert!(offset_of!(msghdr, msg_control) == 16);
    assert!(offset_of!(msghdr, msg_controllen) == 20);
    assert!(offset_of!(msghdr, msg_flags) == 24);

    assert!(size_of::<stat64>() == 104 && align_of::<stat64>() == 8);
    assert!(offset_of!(stat64, st_ino) == 8);
    assert!(offset_of!(stat64, st_mode) == 16);
    assert!(offset_of!(stat64, st_nlink) == 20);
    assert!(offset_of!(stat64, st_uid) == 24);
    assert!(offset_of!(stat64, st_gid) == 28);
    assert!(offset_of!(stat64, st_rdev) == 32);
    assert!(offset_of!(stat64, st_size) == 48);
    assert!(offset_of!(stat64, st_blksize) == 56);
    assert!(offset_of!(stat64, st_blocks) == 64);
    assert!(offset_of!(stat64, st_atim) == 72);
    assert!(offset_of!(stat64, st_mtim) == 80);
    assert!(offset_of!(stat64, st_ctim) == 88);
};
