//! Structs and commands of hexagon, where they are not those of every 32-bit machine.
//!
//! Addresses are `u32`, so the layouts are the same on every host; const asserts hold them. The
//! kernel returns from signals through its vdso, hence needs no restorer.

/// `timeval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct timeval {
    /// Seconds.
    pub tv_sec: i32,
    /// Microseconds.
    pub tv_usec: i32,
}

/// `timespec` of the calls with 32-bit time.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct timespec {
    /// Seconds.
    pub tv_sec: i32,
    /// Nanoseconds.
    pub tv_nsec: i32,
}

/// `flock64`: a lock's range, for [`F_GETLK64`], [`F_SETLK64`] and [`F_SETLKW64`] through
/// `fcntl64`. The commands without 64 take a struct of 32-bit offsets.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct flock64 {
    /// `F_RDLCK` 0, `F_WRLCK` 1, `F_UNLCK` 2.
    pub l_type: i16,
    /// What `l_start` counts from: `SEEK_*`.
    pub l_whence: i16,
    /// Padding.
    pub pad: u32,
    /// The first byte.
    pub l_start: i64,
    /// How many bytes; 0 is all to the end.
    pub l_len: i64,
    /// Who holds the lock that is in the way.
    pub l_pid: i32,
    /// Padding.
    pub unused: u32,
}

/// `msghdr`, without the padding that 64-bit machines have.
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
    pub st_dev: u64,
    /// The inode.
    pub st_ino: u64,
    /// Type and permissions.
    pub st_mode: u32,
    /// How many names it has.
    pub st_nlink: u32,
    /// The owner.
    pub st_uid: u32,
    /// The group.
    pub st_gid: u32,
    /// The device that it is.
    pub st_rdev: u64,
    /// Padding.
    pub pad: [u32; 2],
    /// The size in bytes.
    pub st_size: i64,
    /// The preferred size of a read in bytes.
    pub st_blksize: i32,
    /// Padding.
    pub pad2: u32,
    /// How many blocks of 512 bytes it takes.
    pub st_blocks: i64,
    /// The last access.
    pub st_atim: timespec,
    /// The last change of the contents.
    pub st_mtim: timespec,
    /// The last change of the inode.
    pub st_ctim: timespec,
    /// Padding.
    pub unused: [u32; 2],
}

/// `fcntl64`: which lock is in the way of a [`flock64`].
pub const F_GETLK64: u32 = 12;
/// `fcntl64`: takes or drops a [`flock64`] at once.
pub const F_SETLK64: u32 = 13;
/// `fcntl64`: takes a [`flock64`], waiting for it.
pub const F_SETLKW64: u32 = 14;

const _: () = {
    use core::mem::offset_of;

    assert!(size_of::<timeval>() == 8 && align_of::<timeval>() == 4);
    assert!(size_of::<timespec>() == 8 && align_of::<timespec>() == 4);

    assert!(size_of::<flock64>() == 32 && align_of::<flock64>() == 8);
    assert!(offset_of!(flock64, l_start) == 8);
    assert!(offset_of!(flock64, l_len) == 16);
    assert!(offset_of!(flock64, l_pid) == 24);

    assert!(size_of::<msghdr>() == 28 && align_of::<msghdr>() == 4);
    assert!(offset_of!(msghdr, msg_iov) == 8);
    assert!(offset_of!(msghdr, msg_control) == 16);
    assert!(offset_of!(msghdr, msg_flags) == 24);

    assert!(size_of::<stat64>() == 104 && align_of::<stat64>() == 8);
    assert!(offset_of!(stat64, st_mode) == 16);
    assert!(offset_of!(stat64, st_rdev) == 32);
    assert!(offset_of!(stat64, st_size) == 48);
    assert!(offset_of!(stat64, st_blksize) == 56);
    assert!(offset_of!(stat64, st_blocks) == 64);
    assert!(offset_of!(stat64, st_atim) == 72);
    assert!(offset_of!(stat64, st_ctim) == 88);
};
