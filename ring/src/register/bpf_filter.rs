//! Programs of classic BPF that look at each submission and refuse what they do not like.

use annulus_syscalls::io_uring::flags::bpf_filter::{
    IO_URING_BPF_CMD_FILTER, IO_URING_BPF_FILTER_DENY_REST, IO_URING_BPF_FILTER_SZ_STRICT,
};
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_BPF_FILTER;
use annulus_syscalls::io_uring::register::{io_uring_bpf, io_uring_bpf_filter};
use annulus_syscalls::{Errno, calls};

use crate::entries::{CqEntry, SqEntry};
use crate::opcode::Opcode;
use crate::ring::Ring;

/// One instruction of classic BPF, laid out as `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BpfInstruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to pass over if a condition holds.
    pub jump_true: u8,
    /// How many if it does not.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A filter on the submissions of one opcode.
///
/// The program reads a [`io_uring_bpf_ctx`](annulus_syscalls::io_uring::register::io_uring_bpf_ctx)
/// and answers 0 to refuse the operation, whose CQE then says EACCES. Of several filters all must
/// agree.
#[derive(Clone, Copy, Debug)]
pub struct BpfFilter<'a> {
    /// Which submissions it looks at.
    pub opcode: Opcode,
    /// The program.
    pub program: &'a [BpfInstruction],
    /// How many bytes of the operation's arguments it knows: 12 for SOCKET, 24 for OPENAT and
    /// OPENAT2, 0 for the others.
    pub args_bytes: u8,
    /// Whether another number of bytes than the kernel's is an error, not only a larger one.
    pub args_bytes_strict: bool,
    /// Whether opcodes without a filter are refused.
    pub deny_rest: bool,
}

impl BpfFilter<'_> {
    /// Filters what is submitted to `ring`.
    ///
    /// # Errors
    /// EINVAL before 7.0, for a program that is not sound and an opcode that is not there;
    /// EMSGSIZE if the kernel has fewer bytes of arguments, or with `args_bytes_strict` another
    /// number; EACCES without CAP_SYS_ADMIN if the thread may gain privileges
    /// (PR_SET_NO_NEW_PRIVS); ENOMEM; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 7.0.
    pub fn apply_to_ring<S: SqEntry, C: CqEntry>(&self, ring: &Ring<S, C>) -> Result<(), Errno> {
        let mut request = self.request()?;
        let arg = (&raw mut request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads and writes; the program
        // it names has as many instructions as it says.
        let done = unsafe { ring.register(IORING_REGISTER_BPF_FILTER, arg, 1) };
        done.map(drop)
    }

    /// Filters what is submitted to every ring that the calling thread, or a child of it, makes
    /// from now on. That is for good.
    ///
    /// # Errors
    /// As [`apply_to_ring`](BpfFilter::apply_to_ring).
    ///
    /// # Kernel
    /// Since 7.0.
    pub fn apply_to_thread(&self) -> Result<(), Errno> {
        let mut request = self.request()?;
        let arg = (&raw mut request).expose_provenance();
        // SAFETY: as above; -1 stands for no ring.
        let done = unsafe { calls::io_uring_register(-1, IORING_REGISTER_BPF_FILTER, arg, 1) };
        done.map(drop)
    }

    fn request(&self) -> Result<io_uring_bpf, Errno> {
        let flag = |wanted, flag| if wanted { flag } else { 0 };
        Ok(io_uring_bpf {
            cmd_type: IO_URING_BPF_CMD_FILTER,
            filter: io_uring_bpf_filter {
                opcode: u32::from(self.opcode.0),
                flags: flag(self.deny_rest, IO_URING_BPF_FILTER_DENY_REST)
                    | flag(self.args_bytes_strict, IO_URING_BPF_FILTER_SZ_STRICT),
                filter_len: u32::try_from(self.program.len()).map_err(|_| Errno::EINVAL)?,
                pdu_size: self.args_bytes,
                filter_ptr: self.program.as_ptr().expose_provenance() as u64,
                ..io_uring_bpf_filter::default()
            },
            ..io_uring_bpf::default()
        })
    }
}

const _: () = assert!(size_of::<BpfInstruction>() == 8);
