//! ioctl requests against numbers that C compilers made of the kernel's headers.

mod vectors;

use annulus_syscalls::ioctl::{self, Direction, Layout};
use annulus_syscalls::{Errno, calls, nr, syscall3};

use vectors::{OLD, VECTORS, encoded, old};

#[test]
fn each_group_encodes_as_its_c_headers_do() {
    for &(layout, expected) in VECTORS {
        assert_eq!(encoded(layout), expected, "{layout:?}");
    }
}

#[test]
fn each_architecture_keeps_its_old_numbers() {
    for &(numbering, expected) in OLD {
        assert_eq!(old(numbering), expected, "{numbering:?}");
    }
    assert_eq!(ioctl::Numbering::HOST.layout(), Layout::HOST);
}

#[test]
fn each_group_decodes_what_it_encoded() {
    let directions = [
        Direction::None,
        Direction::Read,
        Direction::Write,
        Direction::ReadWrite,
    ];
    for &(layout, _) in VECTORS {
        for direction in directions {
            let last = match (layout, direction) {
                (Layout::Sparc, Direction::None) => 0,
                _ => layout.size_max(),
            };
            for size in [0, 1, 0x1000, last / 2, last] {
                let size = size.min(last);
                let request = layout.encode(direction, 0xa5, 0xff, size as usize);
                assert_eq!(layout.direction(request), Some(direction), "{layout:?}");
                assert_eq!(layout.size(request), size, "{layout:?} {direction:?}");
                assert_eq!(layout.ty(request), 0xa5);
                assert_eq!(layout.nr(request), 0xff);
            }
        }
    }
}

#[test]
fn the_direction_bits_are_the_architectures_own() {
    assert_eq!(Layout::Generic.dir(0x8004_4502), 2);
    assert_eq!(Layout::Narrow.dir(0x2000_4501), 1);
    assert_eq!(Layout::Parisc.dir(0x4004_4502), 1);
    // Bit 29 is size here, as bytes are read.
    assert_eq!(Layout::Sparc.dir(0x7fff_4505), 2);
    assert_eq!(Layout::Sparc.size(0x7fff_4505), 0x3fff);
    // And direction here, as none are.
    assert_eq!(Layout::Sparc.dir(0x2000_4501), 1);
    assert_eq!(Layout::Sparc.size(0x3fff_4501), 0);
}

#[test]
fn a_plain_number_has_no_direction_where_none_is_a_bit() {
    assert_eq!(Layout::Narrow.direction(0x5413), None);
    assert_eq!(Layout::Sparc.direction(0x5413), None);
    assert_eq!(Layout::Generic.direction(0x5413), Some(Direction::None));
}

#[test]
fn an_argument_that_is_too_large_panics() {
    for &(layout, _) in VECTORS {
        let size = layout.size_max() as usize + 1;
        let encode = || layout.encode(Direction::Read, b'E', 1, size);
        assert!(std::panic::catch_unwind(encode).is_err(), "{layout:?}");
    }
    let lost = || Layout::Sparc.encode(Direction::None, b'E', 1, 4);
    assert!(std::panic::catch_unwind(lost).is_err());
}

#[test]
fn known_requests_have_their_published_numbers() {
    let layout = Layout::Generic;
    assert_eq!(layout.read::<u64>(0x12, 114), 0x8008_1272, "BLKGETSIZE64");
    assert_eq!(layout.none(0x12, 119), 0x1277, "BLKDISCARD");
    assert_eq!(layout.write::<i32>(0x94, 9), 0x4004_9409, "FICLONE");
    assert_eq!(
        layout.read_write::<[u64; 3]>(b'X', 121),
        0xc018_5879,
        "FITRIM"
    );
    assert_eq!(
        layout.read::<u64>(b'f', 1),
        0x8008_6601,
        "FS_IOC_GETFLAGS of a 64-bit long"
    );
    assert_eq!(layout.write::<i32>(b'T', 202), 0x4004_54ca, "TUNSETIFF");
    assert_eq!(
        layout.read_write::<[u64; 3]>(0xaa, 0x3f),
        0xc018_aa3f,
        "UFFDIO_API"
    );
    let perf = [
        (layout.none(b'$', 0), 0x2400),
        (layout.none(b'$', 1), 0x2401),
        (layout.none(b'$', 2), 0x2402),
        (layout.none(b'$', 3), 0x2403),
        (layout.write::<u64>(b'$', 4), 0x4008_2404),
        (layout.none(b'$', 5), 0x2405),
        (layout.write::<u64>(b'$', 6), 0x4008_2406),
        (layout.read::<u64>(b'$', 7), 0x8008_2407),
        (layout.write::<u32>(b'$', 8), 0x4004_2408),
        (layout.write::<u32>(b'$', 9), 0x4004_2409),
        (layout.read_write::<u64>(b'$', 10), 0xc008_240a),
        (layout.write::<u64>(b'$', 11), 0x4008_240b),
    ];
    for (ours, expected) in perf {
        assert_eq!(ours, expected, "perf {expected:x}");
    }
}

#[test]
fn the_hosts_requests_are_those_of_libc() {
    const IN_A_CONSTANT: u32 = ioctl::iowr::<u64>(b'$', 10);
    assert_eq!(IN_A_CONSTANT, Layout::HOST.read_write::<u64>(b'$', 10));
    assert_eq!(ioctl::io(0x12, 119), Layout::HOST.none(0x12, 119));
    let theirs = [
        (ioctl::FIONREAD, libc::FIONREAD),
        (ioctl::FIONBIO, libc::FIONBIO),
        (ioctl::FIOCLEX, libc::FIOCLEX),
        (ioctl::FIONCLEX, libc::FIONCLEX),
        (ioctl::TCGETS, libc::TCGETS),
        (ioctl::TCSETS, libc::TCSETS),
        (ioctl::TCSETSW, libc::TCSETSW),
        (ioctl::TCSETSF, libc::TCSETSF),
        (ioctl::TIOCGWINSZ, libc::TIOCGWINSZ),
        (ioctl::TIOCSWINSZ, libc::TIOCSWINSZ),
        (ioctl::ior::<libc::c_long>(b'f', 1), libc::FS_IOC_GETFLAGS),
        (ioctl::iow::<i32>(0x94, 9), libc::FICLONE),
    ];
    for (ours, theirs) in theirs {
        assert_eq!(libc::c_ulong::from(ours), theirs as libc::c_ulong);
    }
}

#[test]
fn the_kernel_takes_a_request() {
    let fds = calls::pipe2(libc::O_CLOEXEC as u32).expect("descriptors are left");
    assert_eq!(calls::write(fds[1], b"seven!!"), Ok(7));
    let mut ready = 0_i32;
    let address = (&raw mut ready).expose_provenance();
    // SAFETY: FIONREAD fills the i32 at the address, which is alive.
    let ret = unsafe {
        syscall3(
            nr::IOCTL,
            fds[0] as usize,
            ioctl::FIONREAD as usize,
            address,
        )
    };
    assert_eq!(Errno::check(ret), Ok(0));
    assert_eq!(ready, 7);
    for fd in fds {
        // SAFETY: the pipe was made above, and nobody else knows it.
        let closed = unsafe { calls::close(fd) };
        assert_eq!(closed, Ok(()));
    }
}
