//! Requests that C compilers made of the headers of each group of architectures.
//!
//! Without allocation, because `tests/cross` compiles this file for machines that have none.

use annulus_syscalls::ioctl::Layout;

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
