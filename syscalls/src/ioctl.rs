//! ioctl request numbers: how a type, a number, a size and a direction become one word.
//!
//! Every architecture keeps the number in bits 0 to 7 and the type in bits 8 to 15. What is above
//! differs, in four groups:
//!
//! ```text
//!            31 30 29 28                16 15       8 7        0
//!   Generic  [ dir ][   size, 14 bits    ][  type   ][   nr    ]   READ 2, WRITE 1
//!   Parisc   [ dir ][   size, 14 bits    ][  type   ][   nr    ]   READ 1, WRITE 2
//!   Narrow   [ dir    ][ size, 13 bits   ][  type   ][   nr    ]   NONE 1, READ 2, WRITE 4
//!   Sparc    [ dir    ][ size, 13 bits   ][  type   ][   nr    ]   as Narrow, and bit 29 is also
//!                                                                  the size's bit 13
//! ```
//!
//! [`Layout`] computes with any of them on any host; [`io`], [`ior`], [`iow`] and [`iowr`] use
//! the host's own. Requests that are older than the macros, such as [`FIONREAD`], are constants;
//! [`Numbering`] has them for the other architectures.
//!
//! ```
//! use annulus_syscalls::ioctl::{self, Layout};
//!
//! /// `FICLONE`: takes the descriptor of the file to share extents with.
//! const FICLONE: u32 = ioctl::iow::<i32>(0x94, 9);
//! assert_eq!(Layout::HOST.size(FICLONE), 4);
//! assert_eq!(Layout::Sparc.write::<i32>(0x94, 9), 0x8004_9409);
//! ```

mod file;

pub use file::{
    FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, Numbering, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGWINSZ,
    TIOCSWINSZ,
};

/// How a group of architectures lays out a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// x86, arm, aarch64, riscv, loongarch, s390, hexagon, m68k, sh, csky, arc, xtensa, or1k.
    Generic,
    /// mips, powerpc, alpha: three bits of direction leave 13 for the size.
    Narrow,
    /// sparc and sparc64: as [`Layout::Narrow`], with a 14th bit of size that is also the
    /// direction NONE.
    Sparc,
    /// hppa: as [`Layout::Generic`], with READ and WRITE the other way round.
    Parisc,
}

/// Which way the argument's bytes go, seen from the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// No bytes: the argument is a plain number, or there is none.
    None,
    /// The kernel fills the argument.
    Read,
    /// The kernel reads the argument.
    Write,
    /// Both.
    ReadWrite,
}

const TYPE_SHIFT: u32 = 8;
const SIZE_SHIFT: u32 = 16;
const BYTE_MASK: u32 = 0xff;

impl Layout {
    /// The layout of the architecture this is compiled for.
    pub const HOST: Layout = if cfg!(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6",
        target_arch = "powerpc",
        target_arch = "powerpc64"
    )) {
        Layout::Narrow
    } else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        Layout::Sparc
    } else {
        Layout::Generic
    };

    /// The largest size of an argument that a request can carry, in bytes.
    #[must_use]
    pub const fn size_max(self) -> u32 {
        match self {
            Layout::Generic | Layout::Sparc | Layout::Parisc => 0x3fff,
            Layout::Narrow => 0x1fff,
        }
    }

    /// The request of this direction, type, number and size (`_IOC`).
    ///
    /// # Panics
    /// If `size` is above [`size_max`](Layout::size_max), or not 0 without a direction on sparc,
    /// where it would be lost; a compile error in a constant.
    #[must_use]
    pub const fn encode(self, direction: Direction, ty: u8, nr: u8, size: usize) -> u32 {
        assert!(
            size <= self.size_max() as usize,
            "the argument is larger than an ioctl request can say on this architecture"
        );
        assert!(
            size == 0 || !matches!((self, direction), (Layout::Sparc, Direction::None)),
            "an ioctl request without direction has no size on sparc"
        );
        let dir = self.dir_of(direction) << self.dir_shift();
        dir | (size as u32) << SIZE_SHIFT | (ty as u32) << TYPE_SHIFT | nr as u32
    }

    /// A request without argument bytes (`_IO`).
    #[must_use]
    pub const fn none(self, ty: u8, nr: u8) -> u32 {
        self.encode(Direction::None, ty, nr, 0)
    }

    /// A request by which the kernel fills a `T` (`_IOR`).
    ///
    /// # Panics
    /// If `T` is larger than [`size_max`](Layout::size_max); a compile error in a constant.
    #[must_use]
    pub const fn read<T>(self, ty: u8, nr: u8) -> u32 {
        self.encode(Direction::Read, ty, nr, size_of::<T>())
    }

    /// A request by which the kernel reads a `T` (`_IOW`).
    ///
    /// # Panics
    /// If `T` is larger than [`size_max`](Layout::size_max); a compile error in a constant.
    #[must_use]
    pub const fn write<T>(self, ty: u8, nr: u8) -> u32 {
        self.encode(Direction::Write, ty, nr, size_of::<T>())
    }

    /// A request by which the kernel reads a `T` and fills it (`_IOWR`).
    ///
    /// # Panics
    /// If `T` is larger than [`size_max`](Layout::size_max); a compile error in a constant.
    #[must_use]
    pub const fn read_write<T>(self, ty: u8, nr: u8) -> u32 {
        self.encode(Direction::ReadWrite, ty, nr, size_of::<T>())
    }

    /// The direction bits as the architecture numbers them (`_IOC_DIR`).
    #[must_use]
    pub const fn dir(self, request: u32) -> u32 {
        let dir = request >> self.dir_shift();
        let data = self.dir_of(Direction::ReadWrite);
        match self {
            // With data to move, the lowest bit belongs to the size.
            Layout::Sparc if dir & data != 0 => dir & data,
            _ => dir,
        }
    }

    /// Which way the bytes go, or None for direction bits that no macro makes: a request that
    /// is a plain number has such bits on the architectures where [`Direction::None`] is 1.
    #[must_use]
    pub const fn direction(self, request: u32) -> Option<Direction> {
        let dir = self.dir(request);
        if dir == self.dir_of(Direction::None) {
            Some(Direction::None)
        } else if dir == self.dir_of(Direction::Read) {
            Some(Direction::Read)
        } else if dir == self.dir_of(Direction::Write) {
            Some(Direction::Write)
        } else if dir == self.dir_of(Direction::ReadWrite) {
            Some(Direction::ReadWrite)
        } else {
            None
        }
    }

    /// The type byte, also called magic (`_IOC_TYPE`).
    #[must_use]
    pub const fn ty(self, request: u32) -> u8 {
        (request >> TYPE_SHIFT & BYTE_MASK) as u8
    }

    /// The number within the type (`_IOC_NR`).
    #[must_use]
    pub const fn nr(self, request: u32) -> u8 {
        (request & BYTE_MASK) as u8
    }

    /// The size of the argument in bytes (`_IOC_SIZE`). Old requests may say another size than
    /// is passed: `FS_IOC_GETFLAGS` says `long` and fills an `int`.
    #[must_use]
    pub const fn size(self, request: u32) -> u32 {
        let data = self.dir_of(Direction::ReadWrite);
        match self {
            Layout::Sparc if request >> self.dir_shift() & data == 0 => 0,
            _ => request >> SIZE_SHIFT & self.size_max(),
        }
    }

    const fn dir_shift(self) -> u32 {
        match self {
            Layout::Generic | Layout::Parisc => 30,
            Layout::Narrow | Layout::Sparc => 29,
        }
    }

    const fn dir_of(self, direction: Direction) -> u32 {
        let (none, read, write) = match self {
            Layout::Generic => (0, 2, 1),
            Layout::Parisc => (0, 1, 2),
            Layout::Narrow | Layout::Sparc => (1, 2, 4),
        };
        match direction {
            Direction::None => none,
            Direction::Read => read,
            Direction::Write => write,
            Direction::ReadWrite => read | write,
        }
    }
}

/// A request without argument bytes (`_IO`) on the host.
#[must_use]
pub const fn io(ty: u8, nr: u8) -> u32 {
    Layout::HOST.none(ty, nr)
}

/// A request by which the kernel fills a `T` (`_IOR`) on the host.
///
/// ```compile_fail
/// use annulus_syscalls::ioctl;
///
/// // 14 bits of size at most, on every architecture.
/// const TOO_LARGE: u32 = ioctl::ior::<[u8; 0x4000]>(b'E', 1);
/// ```
///
/// # Panics
/// If `T` is larger than [`Layout::size_max`]; a compile error in a constant.
#[must_use]
pub const fn ior<T>(ty: u8, nr: u8) -> u32 {
    Layout::HOST.read::<T>(ty, nr)
}

/// A request by which the kernel reads a `T` (`_IOW`) on the host.
///
/// ```compile_fail
/// use annulus_syscalls::ioctl::Layout;
///
/// // 13 bits where the direction has three.
/// const TOO_LARGE: u32 = Layout::Narrow.write::<[u8; 0x2000]>(b'E', 1);
/// ```
///
/// # Panics
/// If `T` is larger than [`Layout::size_max`]; a compile error in a constant.
#[must_use]
pub const fn iow<T>(ty: u8, nr: u8) -> u32 {
    Layout::HOST.write::<T>(ty, nr)
}

/// A request by which the kernel reads a `T` and fills it (`_IOWR`) on the host.
///
/// # Panics
/// If `T` is larger than [`Layout::size_max`]; a compile error in a constant.
#[must_use]
pub const fn iowr<T>(ty: u8, nr: u8) -> u32 {
    Layout::HOST.read_write::<T>(ty, nr)
}
