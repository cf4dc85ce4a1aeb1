//! Requests that C compilers made of the headers of each group of architectures.
//!
//! Without allocation, because `tests/cross` compiles this file for machines that have none.

use annulus_syscalls::ioctl::{Layout, Numbering};

/// The largest argument that every group can say.
type Wide = [u8; 0x1fff];

/// What each group makes of: `IO('E', 1)`, `IOR('E', 2, int)`, `IOW('E', 3, int)`,
/// `IOWR('E', 4, i64)`, `IOR('E', 5, [u8; 0x1fff])`, `IOW(0x12, 0x70, int)`.
pub(crate) const VECTORS: &[(Layout, [u32; 6])] = &[
    (
        Layout::Generic,
        [
            0x0000_4501,
            0x8004_4502,
            0x4004_4503,
            0xc008_4504,
            0x9fff_4505,
            0x4004_1270,
        ],
    ),
    (
        Layout::Narrow,
        [
            0x2000_4501,
            0x4004_4502,
            0x8004_4503,
            0xc008_4504,
            0x5fff_4505,
            0x8004_1270,
        ],
    ),
    (
        Layout::Sparc,
        [
            0x2000_4501,
            0x4004_4502,
            0x8004_4503,
            0xc008_4504,
            0x5fff_4505,
            0x8004_1270,
        ],
    ),
    (
        Layout::Parisc,
        [
            0x0000_4501,
            0x4004_4502,
            0x8004_4503,
            0xc008_4504,
            0x5fff_4505,
            0x8004_1270,
        ],
    ),
];

/// The same by ours.
pub(crate) fn encoded(layout: Layout) -> [u32; 6] {
    [
        layout.none(b'E', 1),
        layout.read::<i32>(b'E', 2),
        layout.write::<i32>(b'E', 3),
        layout.read_write::<i64>(b'E', 4),
        layout.read::<Wide>(b'E', 5),
        layout.write::<i32>(0x12, 0x70),
    ]
}

/// What the headers of each have for: FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TCGETS, TCSETS,
/// TCSETSW, TCSETSF, TIOCGWINSZ, TIOCSWINSZ.
pub(crate) const OLD: &[(Numbering, [u32; 10])] = &[
    (
        Numbering::Generic,
        [
            0x541b, 0x5421, 0x5451, 0x5450, 0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x5414,
        ],
    ),
    (
        Numbering::Mips,
        [
            0x467f,
            0x667e,
            0x6601,
            0x6602,
            0x540d,
            0x540e,
            0x540f,
            0x5410,
            0x4008_7468,
            0x8008_7467,
        ],
    ),
    (
        Numbering::Powerpc,
        [
            0x4004_667f,
            0x8004_667e,
            0x2000_6601,
            0x2000_6602,
            0x402c_7413,
            0x802c_7414,
            0x802c_7415,
            0x802c_7416,
            0x4008_7468,
            0x8008_7467,
        ],
    ),
    (
        Numbering::Sparc,
        [
            0x4004_667f,
            0x8004_667e,
            0x2000_6601,
            0x2000_6602,
            0x4024_5408,
            0x8024_5409,
            0x8024_540a,
            0x8024_540b,
            0x4008_7468,
            0x8008_7467,
        ],
    ),
    (
        Numbering::Parisc,
        [
            0x541b,
            0x5421,
            0x5451,
            0x5450,
            0x4024_5410,
            0x8024_5411,
            0x8024_5412,
            0x8024_5413,
            0x5413,
            0x5414,
        ],
    ),
    (
        Numbering::Sh,
        [
            0x8004_667f,
            0x4004_667e,
            0x6601,
            0x6602,
            0x5401,
            0x5402,
            0x5403,
            0x5404,
            0x8008_7468,
            0x4008_7467,
        ],
    ),
];

/// The same by ours.
pub(crate) fn old(of: Numbering) -> [u32; 10] {
    [
        of.fionread(),
        of.fionbio(),
        of.fioclex(),
        of.fionclex(),
        of.tcgets(),
        of.tcsets(),
        of.tcsetsw(),
        of.tcsetsf(),
        of.tiocgwinsz(),
        of.tiocswinsz(),
    ]
}
