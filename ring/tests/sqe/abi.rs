//! The 64 bytes of an entry, byte by byte, as the kernel's header places them. Numbers stand here
//! as numbers, so that nothing is checked against itself.

use annulus_syscalls::io_uring::io_uring_sqe;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::strategy::Just;

/// What an entry is to look like.
#[derive(Clone, Copy)]
pub(crate) struct Abi([u8; 64]);

impl Abi {
    /// All zero but the opcode, and the user data that `prepared` leaves there.
    pub(crate) fn of(opcode: u8) -> Abi {
        Abi([0; 64])
            .at(0, opcode.to_ne_bytes())
            .at(32, 77_u64.to_ne_bytes())
    }

    fn at<const N: usize>(mut self, offset: usize, bytes: [u8; N]) -> Abi {
        self.0[offset..offset + N].copy_from_slice(&bytes);
        self
    }

    pub(crate) fn sqe_flags(self, flags: u8) -> Abi {
        self.at(1, flags.to_ne_bytes())
    }

    pub(crate) fn ioprio(self, ioprio: u16) -> Abi {
        self.at(2, ioprio.to_ne_bytes())
    }

    pub(crate) fn fd(self, fd: i32) -> Abi {
        self.at(4, fd.to_ne_bytes())
    }

    pub(crate) fn off(self, off: u64) -> Abi {
        self.at(8, off.to_ne_bytes())
    }

    /// The 32-bit places that share the one of `off`.
    pub(crate) fn cmd_op(self, command: u32) -> Abi {
        self.at(8, command.to_ne_bytes())
    }

    pub(crate) fn addr(self, addr: u64) -> Abi {
        self.at(16, addr.to_ne_bytes())
    }

    /// The two 32-bit places that share the one of `addr`.
    pub(crate) fn level_and_name(self, level: u32, name: u32) -> Abi {
        self.at(16, level.to_ne_bytes()).at(20, name.to_ne_bytes())
    }

    pub(crate) fn len(self, len: u32) -> Abi {
        self.at(24, len.to_ne_bytes())
    }

    pub(crate) fn op_flags(self, flags: u32) -> Abi {
        self.at(28, flags.to_ne_bytes())
    }

    pub(crate) fn buf_index(self, index: u16) -> Abi {
        self.at(40, index.to_ne_bytes())
    }

    pub(crate) fn personality(self, id: u16) -> Abi {
        self.at(42, id.to_ne_bytes())
    }

    pub(crate) fn file_index(self, index: u32) -> Abi {
        self.at(44, index.to_ne_bytes())
    }

    /// The 16-bit place at the start of `file_index`.
    pub(crate) fn addr_len(self, len: u16) -> Abi {
        self.at(44, len.to_ne_bytes())
    }

    pub(crate) fn addr3(self, addr: u64) -> Abi {
        self.at(48, addr.to_ne_bytes())
    }

    pub(crate) fn last(self, word: u64) -> Abi {
        self.at(56, word.to_ne_bytes())
    }

    /// Checks an entry against it.
    #[track_caller]
    pub(crate) fn is(self, entry: io_uring_sqe) {
        // SAFETY: an entry is 64 bytes of plain integers without padding.
        let bytes: [u8; 64] = unsafe { std::mem::transmute(entry) };
        for (offset, (got, want)) in bytes.iter().zip(&self.0).enumerate() {
            assert_eq!(got, want, "byte {offset} of {entry:?}");
        }
    }
}

/// Arguments for one method; each test takes what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) words: [u32; 6],
    pub(crate) longs: [u64; 4],
    pub(crate) shorts: [u16; 3],
}

impl Args {
    pub(crate) fn fd(&self) -> i32 {
        self.words[0] as i32
    }

    /// An address that is never read.
    pub(crate) fn pointer<T>(&self, index: usize) -> *mut T {
        std::ptr::without_provenance_mut(self.longs[index] as usize)
    }

    /// The same address, as it stands in an entry.
    pub(crate) fn address(&self, index: usize) -> u64 {
        self.longs[index] as usize as u64
    }
}

/// Any arguments, and often those where something could wrap: zero, the largest, and the most
/// bytes that one call moves.
pub(crate) fn args() -> impl Strategy<Value = Args> {
    let word = prop_oneof![
        3 => any::<u32>(),
        1 => Just(0),
        1 => Just(0x7fff_f000),
        1 => Just(0x8000_0000),
        1 => Just(u32::MAX),
    ];
    let long = prop_oneof![
        3 => any::<u64>(),
        1 => Just(0),
        1 => Just(u64::from(u32::MAX) + 1),
        1 => Just(u64::MAX),
    ];
    let short = prop_oneof![3 => any::<u16>(), 1 => Just(0), 1 => Just(u16::MAX)];
    let all = (
        proptest::array::uniform6(word),
        proptest::array::uniform4(long),
        proptest::array::uniform3(short),
    );
    all.prop_map(|(words, longs, shorts)| Args {
        words,
        longs,
        shorts,
    })
}
