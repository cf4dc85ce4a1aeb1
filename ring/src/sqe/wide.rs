//! `Sqe128` and `WideSqe`: entries with a command area of 80 bytes.
//!
//! ```text
//!   offset   0                  48                64                            128
//!            what every Sqe has | 80 bytes of a command                          |
//! ```

use core::fmt;
use core::mem::offset_of;
use core::ops::{Deref, DerefMut};

use super::{Sqe, SqeFlags};
use crate::opcode::Opcode;

/// How many bytes a command has in an entry of 128 bytes.
pub const COMMAND_BYTES: usize = 80;

/// Where the command begins, in bytes.
const COMMAND_AT: usize = 48;

/// A submission queue entry of 128 bytes: an [`Sqe`], whose methods it has, and 64 bytes that
/// only commands of files use (`IORING_OP_URING_CMD`).
///
/// ```
/// use annulus_ring::{Opcode, Sqe128};
///
/// let mut sqe = Sqe128::new();
/// sqe.prep_nop().set_user_data(7);
/// assert_eq!((sqe.opcode(), sqe.user_data()), (Opcode::NOP, 7));
/// assert_eq!(sqe.command(), [0; 80]);
/// ```
///
/// # Kernel
/// Since 5.19.
#[repr(C)]
#[derive(Clone, PartialEq, Eq)]
pub struct Sqe128 {
    sqe: Sqe,
    rest: [u8; 64],
}

const _: () = {
    assert!(size_of::<Sqe128>() == 128);
    assert!(align_of::<Sqe128>() == align_of::<Sqe>());
    assert!(offset_of!(Sqe128, rest) == 64);
    assert!(COMMAND_AT + COMMAND_BYTES == size_of::<Sqe128>());
};

impl Sqe128 {
    /// A zeroed entry: a `NOP`.
    #[must_use]
    pub const fn new() -> Sqe128 {
        Sqe128 {
            sqe: Sqe::new(),
            rest: [0; 64],
        }
    }

    /// The 80 bytes of the command.
    #[must_use]
    pub fn command(&self) -> [u8; COMMAND_BYTES] {
        let raw = self.sqe.as_raw();
        let mut command = [0; COMMAND_BYTES];
        command[..8].copy_from_slice(&raw.addr3.to_ne_bytes());
        command[8..16].copy_from_slice(&raw.attr_type_mask.to_ne_bytes());
        command[16..].copy_from_slice(&self.rest);
        command
    }

    /// A command of whatever `fd` is, such as an NVMe passthrough command of a character device:
    /// `number` says which, the 80 bytes what of it, and `flags` are `IORING_URING_CMD_*`. What
    /// the result means is the command's affair.
    ///
    /// # Safety
    /// Memory that the command is told about is valid for what it does with it, lent until the
    /// last CQE.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub unsafe fn prep_uring_cmd128(
        &mut self,
        number: u32,
        fd: i32,
        flags: u32,
        command: &[u8; COMMAND_BYTES],
    ) -> &mut Sqe128 {
        self.set_command(Opcode::URING_CMD, number, fd, flags, command);
        self
    }

    /// Fills the whole entry but `user_data`. Whoever calls it answers for the command.
    fn set_command(
        &mut self,
        opcode: Opcode,
        number: u32,
        fd: i32,
        flags: u32,
        command: &[u8; COMMAND_BYTES],
    ) {
        let user_data = self.sqe.user_data();
        let mut off = [0; 8];
        off[..4].copy_from_slice(&number.to_ne_bytes());
        self.sqe = Sqe::new();
        self.sqe.set_user_data(user_data);
        self.sqe.set_opcode(opcode);
        let raw = &mut self.sqe.0;
        raw.fd = fd;
        raw.off = u64::from_ne_bytes(off);
        raw.op_flags = flags;
        raw.addr3 = word(command, 0);
        raw.attr_type_mask = word(command, 8);
        self.rest.copy_from_slice(&command[16..]);
    }
}

impl Default for Sqe128 {
    fn default() -> Sqe128 {
        Sqe128::new()
    }
}

impl Deref for Sqe128 {
    type Target = Sqe;

    #[inline]
    fn deref(&self) -> &Sqe {
        &self.sqe
    }
}

impl DerefMut for Sqe128 {
    #[inline]
    fn deref_mut(&mut self) -> &mut Sqe {
        &mut self.sqe
    }
}

impl AsMut<Sqe> for Sqe128 {
    fn as_mut(&mut self) -> &mut Sqe {
        self
    }
}

impl AsMut<Sqe> for Sqe {
    fn as_mut(&mut self) -> &mut Sqe {
        self
    }
}

impl fmt::Debug for Sqe128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqe128").field(&self.sqe).finish()
    }
}

/// An entry of two slots in a ring of mixed sizes. It begins as a `NOP128`, and it is always one
/// of the two operations that have 128 bytes there: of any other the kernel would take the second
/// half for an entry of its own.
///
/// # Kernel
/// Since 6.19.
#[repr(transparent)]
#[derive(Debug, PartialEq, Eq)]
pub struct WideSqe(Sqe128);

impl WideSqe {
    #[inline]
    pub(crate) fn nop128() -> WideSqe {
        let mut sqe = Sqe128::new();
        sqe.set_opcode(Opcode::NOP128);
        WideSqe(sqe)
    }

    /// `IORING_OP_NOP128`: completes with 0.
    ///
    /// # Kernel
    /// Since 6.19.
    pub fn prep_nop128(&mut self) -> &mut WideSqe {
        let user_data = self.user_data();
        *self = WideSqe::nop128();
        self.set_user_data(user_data)
    }

    /// `IORING_OP_URING_CMD128`: as [`Sqe128::prep_uring_cmd128`].
    ///
    /// # Safety
    /// As [`Sqe128::prep_uring_cmd128`].
    ///
    /// # Kernel
    /// Since 6.19.
    pub unsafe fn prep_uring_cmd128(
        &mut self,
        number: u32,
        fd: i32,
        flags: u32,
        command: &[u8; COMMAND_BYTES],
    ) -> &mut WideSqe {
        self.0
            .set_command(Opcode::URING_CMD128, number, fd, flags, command);
        self
    }

    /// The word that comes back in the CQE.
    pub fn set_user_data(&mut self, user_data: u64) -> &mut WideSqe {
        self.0.set_user_data(user_data);
        self
    }

    /// Replaces the flags.
    pub fn set_flags(&mut self, flags: SqeFlags) -> &mut WideSqe {
        self.0.set_flags(flags);
        self
    }

    /// The 80 bytes of the command.
    #[must_use]
    pub fn command(&self) -> [u8; COMMAND_BYTES] {
        self.0.command()
    }
}

impl Deref for WideSqe {
    type Target = Sqe;

    fn deref(&self) -> &Sqe {
        &self.0
    }
}

/// The 64-bit word at `at` bytes.
fn word(bytes: &[u8; COMMAND_BYTES], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::{Opcode, Sqe128, WideSqe};

    /// Byte 48 + i of the entry.
    fn bytes_of(sqe: &Sqe128) -> [u8; 128] {
        // SAFETY: an entry is 128 bytes of plain integers without padding.
        unsafe { core::mem::transmute(sqe.clone()) }
    }

    #[test]
    fn a_command_lies_in_the_last_80_bytes() {
        let command = core::array::from_fn(|index| index as u8 + 1);
        let mut sqe = Sqe128::new();
        sqe.set_user_data(9);
        // SAFETY: it is never submitted.
        unsafe { sqe.prep_uring_cmd128(0x0102_0304, 5, 6, &command) };
        let bytes = bytes_of(&sqe);
        assert_eq!(bytes[48..], command);
        assert_eq!(bytes[8..12], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(bytes[12..28], [0; 16]);
        assert_eq!(sqe.command(), command);
        assert_eq!((sqe.opcode(), sqe.fd()), (Opcode::URING_CMD, 5));
        assert_eq!((sqe.user_data(), sqe.as_raw().op_flags), (9, 6));
    }

    #[test]
    fn an_entry_of_two_slots_is_always_an_operation_of_128_bytes() {
        let mut sqe = WideSqe::nop128();
        assert_eq!(sqe.opcode(), Opcode::NOP128);
        sqe.set_user_data(9);
        // SAFETY: it is never submitted.
        unsafe { sqe.prep_uring_cmd128(1, 2, 3, &[4; 80]) };
        assert_eq!((sqe.opcode(), sqe.user_data()), (Opcode::URING_CMD128, 9));
        assert_eq!(sqe.command(), [4; 80]);
        sqe.prep_nop128();
        assert_eq!((sqe.opcode(), sqe.user_data()), (Opcode::NOP128, 9));
        assert_eq!(sqe.command(), [0; 80]);
    }
}
