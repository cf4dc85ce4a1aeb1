//! Requests of files and terminals that are older than the macros: each architecture kept the
//! numbers of the Unix that it came from.

use super::Layout;

/// Whose numbers an architecture has for the old requests.
///
/// ```
/// use annulus_syscalls::ioctl::{FIONREAD, Numbering};
///
/// assert_eq!(Numbering::HOST.fionread(), FIONREAD);
/// assert_eq!(Numbering::Mips.tcgets(), 0x540d);
/// ```
///
/// Source: `asm/ioctls.h` and `asm/termbits.h` of each, Linux 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// x86, arm, aarch64, riscv, loongarch, s390, hexagon, m68k, csky, arc, xtensa, or1k.
    Generic,
    /// mips: plain numbers of its own.
    Mips,
    /// powerpc and alpha: made by the macros, with a `termios` of 44 bytes.
    Powerpc,
    /// sparc: made by the macros, with a `termios` of 36 bytes.
    Sparc,
    /// hppa: generic, but for a `termios` of 36 bytes.
    Parisc,
    /// sh: made by the macros for files, generic for terminals.
    Sh,
}

/// `termios` of powerpc and alpha, as the macros see it: its size.
type Termios44 = [u8; 44];
/// `termios` of sparc and hppa.
type Termios36 = [u8; 36];
/// `winsize`: rows, columns, and the size in pixels.
type Winsize = [u16; 4];

impl Numbering {
    /// The numbers of the architecture this is compiled for.
    pub const HOST: Numbering = if cfg!(any(
        target_arch = "mips",
        target_arch = "mips32r6",
        target_arch = "mips64",
        target_arch = "mips64r6"
    )) {
        Numbering::Mips
    } else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) {
        Numbering::Powerpc
    } else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        Numbering::Sparc
    } else {
        Numbering::Generic
    };

    /// How the macros of these architectures make a request.
    #[must_use]
    pub const fn layout(self) -> Layout {
        match self {
            Numbering::Generic | Numbering::Sh => Layout::Generic,
            Numbering::Mips | Numbering::Powerpc => Layout::Narrow,
            Numbering::Sparc => Layout::Sparc,
            Numbering::Parisc => Layout::Parisc,
        }
    }

    /// [`FIONREAD`].
    #[must_use]
    pub const fn fionread(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x541b,
            Numbering::Mips => 0x467f,
            _ => self.layout().read::<i32>(b'f', 127),
        }
    }

    /// [`FIONBIO`].
    #[must_use]
    pub const fn fionbio(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x5421,
            Numbering::Mips => 0x667e,
            _ => self.layout().write::<i32>(b'f', 126),
        }
    }

    /// [`FIOCLEX`].
    #[must_use]
    pub const fn fioclex(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x5451,
            Numbering::Mips => 0x6601,
            _ => self.layout().none(b'f', 1),
        }
    }

    /// [`FIONCLEX`].
    #[must_use]
    pub const fn fionclex(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x5450,
            Numbering::Mips => 0x6602,
            _ => self.layout().none(b'f', 2),
        }
    }

    /// [`TCGETS`].
    #[must_use]
    pub const fn tcgets(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Sh => 0x5401,
            Numbering::Mips => 0x540d,
            Numbering::Powerpc => self.layout().read::<Termios44>(b't', 19),
            Numbering::Sparc => self.layout().read::<Termios36>(b'T', 8),
            Numbering::Parisc => self.layout().read::<Termios36>(b'T', 16),
        }
    }

    /// [`TCSETS`].
    #[must_use]
    pub const fn tcsets(self) -> u32 {
        self.tcset(0)
    }

    /// [`TCSETSW`].
    #[must_use]
    pub const fn tcsetsw(self) -> u32 {
        self.tcset(1)
    }

    /// [`TCSETSF`].
    #[must_use]
    pub const fn tcsetsf(self) -> u32 {
        self.tcset(2)
    }

    /// The requests that set have numbers in a row: at once, after the output, and after it
    /// without the input.
    const fn tcset(self, when: u8) -> u32 {
        match self {
            Numbering::Generic | Numbering::Sh => 0x5402 + when as u32,
            Numbering::Mips => 0x540e + when as u32,
            Numbering::Powerpc => self.layout().write::<Termios44>(b't', 20 + when),
            Numbering::Sparc => self.layout().write::<Termios36>(b'T', 9 + when),
            Numbering::Parisc => self.layout().write::<Termios36>(b'T', 17 + when),
        }
    }

    /// [`TIOCGWINSZ`].
    #[must_use]
    pub const fn tiocgwinsz(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x5413,
            _ => self.layout().read::<Winsize>(b't', 104),
        }
    }

    /// [`TIOCSWINSZ`].
    #[must_use]
    pub const fn tiocswinsz(self) -> u32 {
        match self {
            Numbering::Generic | Numbering::Parisc => 0x5414,
            _ => self.layout().write::<Winsize>(b't', 103),
        }
    }
}

/// How many bytes can be read at once: fills an `i32`.
pub const FIONREAD: u32 = Numbering::HOST.fionread();
/// Sets or clears `O_NONBLOCK`: reads an `i32`, 0 clears.
pub const FIONBIO: u32 = Numbering::HOST.fionbio();
/// Sets close-on-exec; takes nothing.
pub const FIOCLEX: u32 = Numbering::HOST.fioclex();
/// Clears close-on-exec; takes nothing.
pub const FIONCLEX: u32 = Numbering::HOST.fionclex();
/// How the terminal behaves: fills a `termios` of the kernel, 36 or 44 bytes.
pub const TCGETS: u32 = Numbering::HOST.tcgets();
/// Sets how the terminal behaves, at once: reads a `termios` of the kernel.
pub const TCSETS: u32 = Numbering::HOST.tcsets();
/// As [`TCSETS`], once what was written has gone out.
pub const TCSETSW: u32 = Numbering::HOST.tcsetsw();
/// As [`TCSETSW`], and drops what was not read.
pub const TCSETSF: u32 = Numbering::HOST.tcsetsf();
/// The size of the terminal: fills a `winsize`, four `u16`: rows, columns, and the two in pixels.
pub const TIOCGWINSZ: u32 = Numbering::HOST.tiocgwinsz();
/// Sets the size of the terminal: reads a `winsize`. The programs on it get SIGWINCH.
pub const TIOCSWINSZ: u32 = Numbering::HOST.tiocswinsz();
