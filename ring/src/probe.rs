//! `Probe`: which opcodes a kernel has, and how new that makes it.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::IO_URING_OP_SUPPORTED;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_PROBE;
use annulus_syscalls::io_uring::register::{io_uring_probe, io_uring_probe_op};

use crate::entries::{CqEntry, SqEntry};
use crate::mask::{FEATURES_SINCE, Mask};
use crate::opcode::Opcode;
use crate::ring::Ring;
use crate::version::Version;

/// What a kernel can do, less what a [`Mask`] hides.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// One bit per opcode.
    opcodes: [u64; 4],
    features: u32,
    mask: Mask,
}

const OPCODES_MAX: usize = 256;

/// The probe with room for every opcode there can be.
#[repr(C)]
struct Answer {
    head: io_uring_probe,
    ops: [io_uring_probe_op; OPCODES_MAX],
}

impl Probe {
    /// Asks the kernel behind `ring`.
    ///
    /// # Errors
    /// EINVAL before 5.6; EEXIST on a pinned ring from another thread than its own.
    pub fn of(ring: &Ring<impl SqEntry, impl CqEntry>) -> Result<Probe, Errno> {
        let mut answer = Answer {
            head: io_uring_probe::default(),
            ops: [io_uring_probe_op::default(); OPCODES_MAX],
        };
        let arg = (&raw mut answer).expose_provenance();
        // SAFETY: `answer` has room for as many entries as are asked for.
        unsafe { ring.register(IORING_REGISTER_PROBE, arg, OPCODES_MAX as u32) }?;
        let mut opcodes = [0; 4];
        for entry in answer.ops.iter().take(usize::from(answer.head.ops_len)) {
            if u32::from(entry.flags) & IO_URING_OP_SUPPORTED != 0 {
                opcodes[usize::from(entry.op / 64)] |= 1_u64 << (entry.op % 64);
            }
        }
        Ok(Probe {
            opcodes,
            features: ring.features(),
            mask: ring.mask(),
        })
    }

    /// Whether `opcode` is there.
    #[must_use]
    pub fn supports(&self, opcode: Opcode) -> bool {
        let bit = 1_u64 << (opcode.0 % 64);
        self.opcodes[usize::from(opcode.0 / 64)] & bit != 0 && !self.mask.hides_opcode(opcode)
    }

    /// `IORING_FEAT_*`.
    #[must_use]
    pub fn features(&self) -> u32 {
        self.features
    }

    /// The release whose newest opcode or feature is there: what flags of single operations,
    /// which cannot be asked for, may be taken for granted. Unlike the release number of the
    /// running kernel it holds where io_uring was ported back.
    #[must_use]
    pub fn version(&self) -> Version {
        let opcodes = (0..=u8::MAX)
            .map(Opcode)
            .filter(|opcode| self.supports(*opcode))
            .filter_map(Opcode::since);
        let features = FEATURES_SINCE
            .iter()
            .filter(|(flag, _)| self.features & flag != 0)
            .map(|(_, since)| *since);
        opcodes.chain(features).max().unwrap_or(Version::new(5, 1))
    }
}
