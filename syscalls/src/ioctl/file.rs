//! Requests of files and terminals that are not made by the macros everywhere: each group of
//! architectures kept the number of the Unix it came from.

use super::Layout;

/// The host numbers these as its `sgtty.h` did: `('f', 127)` and the like.
const OLD: bool = matches!(Layout::HOST, Layout::Narrow | Layout::Sparc) && !MIPS;
const MIPS: bool = cfg!(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
));

/// How many bytes can be read at once: fills an `i32`.
pub const FIONREAD: u32 = match (MIPS, OLD) {
    (true, _) => 0x467f,
    (_, true) => Layout::HOST.read::<i32>(b'f', 127),
    _ => 0x541b,
};

/// Sets or clears `O_NONBLOCK`: reads an `i32`, 0 clears.
pub const FIONBIO: u32 = match (MIPS, OLD) {
    (true, _) => 0x667e,
    (_, true) => Layout::HOST.write::<i32>(b'f', 126),
    _ => 0x5421,
};

/// Sets close-on-exec.
pub const FIOCLEX: u32 = match (MIPS, OLD) {
    (true, _) => 0x6601,
    (_, true) => Layout::HOST.none(b'f', 1),
    _ => 0x5451,
};

/// The size of the terminal: fills a `winsize`, four `u16`.
pub const TIOCGWINSZ: u32 = match Layout::HOST {
    Layout::Narrow | Layout::Sparc => Layout::HOST.read::<[u16; 4]>(b't', 104),
    Layout::Generic | Layout::Parisc => 0x5413,
};
