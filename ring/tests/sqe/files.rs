//! Files, names and attributes.

use annulus_ring::Opcode;
use annulus_syscalls::io_uring::{io_uring_sqe, open_how};

use super::{A, B, address, entry, prepared, want};

#[test]
fn files() {
    let path = A.as_ptr();
    let addr = address(A);
    let mut out = [0_u8; 256];
    let off = address(&out);
    assert_eq!(
        entry!(prep_openat(5, path, 2, 0o600)),
        io_uring_sqe {
            addr,
            len: 0o600,
            op_flags: 2,
            ..want(Opcode::OPENAT, 5)
        }
    );
    let how = open_how::default();
    assert_eq!(
        entry!(prep_openat2(5, path, &raw const how)),
        io_uring_sqe {
            addr,
            len: 24,
            off: address(&how),
            ..want(Opcode::OPENAT2, 5)
        }
    );
    assert_eq!(
        entry!(prep_statx(5, path, 0x100, 0xfff, out.as_mut_ptr().cast())),
        io_uring_sqe {
            addr,
            len: 0xfff,
            off,
            op_flags: 0x100,
            ..want(Opcode::STATX, 5)
        }
    );
    assert_eq!(
        entry!(prep_fsync(5, 1)),
        io_uring_sqe {
            op_flags: 1,
            ..want(Opcode::FSYNC, 5)
        }
    );
    assert_eq!(
        entry!(prep_fsync_range(5, 1, 6, 7)),
        io_uring_sqe {
            op_flags: 1,
            off: 6,
            len: 7,
            ..want(Opcode::FSYNC, 5)
        }
    );
    assert_eq!(
        entry!(prep_fadvise64(5, 6, 7, 3)),
        io_uring_sqe {
            off: 6,
            addr: 7,
            op_flags: 3,
            ..want(Opcode::FADVISE, 5)
        }
    );
    assert_eq!(
        entry!(prep_madvise64(out.as_mut_ptr().cast(), 256, 4)),
        io_uring_sqe {
            addr: off,
            off: 256,
            op_flags: 4,
            ..want(Opcode::MADVISE, -1)
        }
    );
    assert_eq!(
        entry!(prep_sync_file_range(5, 6, 7, 8)),
        io_uring_sqe {
            len: 6,
            off: 7,
            op_flags: 8,
            ..want(Opcode::SYNC_FILE_RANGE, 5)
        }
    );
    assert_eq!(
        entry!(prep_fallocate(5, 1, 6, 7)),
        io_uring_sqe {
            len: 1,
            off: 6,
            addr: 7,
            ..want(Opcode::FALLOCATE, 5)
        }
    );
    assert_eq!(
        entry!(prep_ftruncate(5, 6)),
        io_uring_sqe {
            off: 6,
            ..want(Opcode::FTRUNCATE, 5)
        }
    );
    assert_eq!(
        entry!(prep_fadvise(5, 6, 7, 3)),
        io_uring_sqe {
            off: 6,
            len: 7,
            op_flags: 3,
            ..want(Opcode::FADVISE, 5)
        }
    );
    assert_eq!(
        entry!(prep_madvise(out.as_mut_ptr().cast(), 256, 4)),
        io_uring_sqe {
            addr: off,
            len: 256,
            op_flags: 4,
            ..want(Opcode::MADVISE, -1)
        }
    );
    let mut fds = [1_i32, 2];
    assert_eq!(
        entry!(prep_files_update(fds.as_mut_ptr(), 2, 3)),
        io_uring_sqe {
            addr: address(&fds),
            len: 2,
            off: 3,
            ..want(Opcode::FILES_UPDATE, -1)
        }
    );
    assert_eq!(
        entry!(prep_files_update_alloc(fds.as_mut_ptr(), 2)),
        io_uring_sqe {
            addr: address(&fds),
            len: 2,
            off: u64::from(u32::MAX),
            ..want(Opcode::FILES_UPDATE, -1)
        }
    );
    assert_eq!(
        entry!(prep_fixed_fd_install(3, 1)),
        io_uring_sqe {
            flags: 1,
            op_flags: 1,
            ..want(Opcode::FIXED_FD_INSTALL, 3)
        }
    );
    assert_eq!(
        entry!(prep_pipe(&raw mut fds, 0x800)),
        io_uring_sqe {
            addr: address(&fds),
            op_flags: 0x800,
            ..want(Opcode::PIPE, 0)
        }
    );
}

#[test]
fn names() {
    let (a, b) = (A.as_ptr(), B.as_ptr());
    let two = |opcode| io_uring_sqe {
        addr: address(A),
        off: address(B),
        len: 6,
        op_flags: 1,
        ..want(opcode, 5)
    };
    assert_eq!(entry!(prep_renameat(5, a, 6, b, 1)), two(Opcode::RENAMEAT));
    assert_eq!(entry!(prep_linkat(5, a, 6, b, 1)), two(Opcode::LINKAT));
    assert_eq!(
        entry!(prep_symlinkat(a, 5, b)),
        io_uring_sqe {
            len: 0,
            op_flags: 0,
            ..two(Opcode::SYMLINKAT)
        }
    );
    let one = |opcode| io_uring_sqe {
        addr: address(A),
        ..want(opcode, 5)
    };
    assert_eq!(
        entry!(prep_unlinkat(5, a, 0x200)),
        io_uring_sqe {
            op_flags: 0x200,
            ..one(Opcode::UNLINKAT)
        }
    );
    assert_eq!(
        entry!(prep_mkdirat(5, a, 0o700)),
        io_uring_sqe {
            len: 0o700,
            ..one(Opcode::MKDIRAT)
        }
    );
}

#[test]
fn extended_attributes() {
    let (name, path) = (A.as_ptr(), B.as_ptr());
    let mut value = [0_u8; 8];
    let pointer = value.as_mut_ptr().cast();
    let xattr = |opcode, fd| io_uring_sqe {
        addr: address(A),
        off: address(&value),
        len: 8,
        ..want(opcode, fd)
    };
    let by_path = address(B);
    assert_eq!(
        entry!(prep_getxattr(name, pointer, path, 8)),
        io_uring_sqe {
            addr3: by_path,
            ..xattr(Opcode::GETXATTR, 0)
        }
    );
    assert_eq!(
        entry!(prep_fgetxattr(5, name, pointer, 8)),
        xattr(Opcode::FGETXATTR, 5)
    );
    assert_eq!(
        entry!(prep_setxattr(name, pointer, path, 1, 8)),
        io_uring_sqe {
            addr3: by_path,
            op_flags: 1,
            ..xattr(Opcode::SETXATTR, 0)
        }
    );
    assert_eq!(
        entry!(prep_fsetxattr(5, name, pointer, 1, 8)),
        io_uring_sqe {
            op_flags: 1,
            ..xattr(Opcode::FSETXATTR, 5)
        }
    );
}
