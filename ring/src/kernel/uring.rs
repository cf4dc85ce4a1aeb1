//! `Uring`: Linux's io_uring, 5.19 and later.

use std::sync::Arc;

use super::setup_error::SetupError;
use crate::mask::Mask;
use crate::opcode::Opcode;
use crate::probe::Probe;
use crate::ring::Ring;
use crate::setup::RingConfig;
use crate::version::Version;

/// Linux's own io_uring.
#[derive(Clone, Debug)]
pub struct Uring(Arc<Facts>);

/// Found out once, when the kernel is chosen.
#[derive(Debug)]
struct Facts {
    mask: Mask,
    probe: Probe,
    version: Version,
}

/// Entries of the ring that is only asked what there is.
const PROBE_ENTRIES: u32 = 1;

impl Uring {
    pub(super) fn new(mask: Mask) -> Result<Uring, SetupError> {
        let config = RingConfig {
            sq_entries: PROBE_ENTRIES,
            mask,
            ..RingConfig::default()
        };
        let ring = Ring::new(&config).map_err(SetupError::of)?;
        let probe = Probe::of(&ring).map_err(SetupError::of)?;
        // SOCKET came with 5.19, as did COOP_TASKRUN, which a ring before would have given up.
        if !probe.supports(Opcode::SOCKET) || !ring.step_downs().is_empty() {
            return Err(SetupError::too_old(probe.version()));
        }
        let version = probe.version();
        Ok(Uring(Arc::new(Facts {
            mask,
            probe,
            version,
        })))
    }

    pub(super) fn open(&self, config: &RingConfig) -> Result<Ring, SetupError> {
        let config = RingConfig {
            mask: self.0.mask,
            ..config.clone()
        };
        Ring::new(&config).map_err(SetupError::of)
    }

    /// What it can do.
    #[must_use]
    pub fn probe(&self) -> &Probe {
        &self.0.probe
    }

    /// What is hidden.
    #[must_use]
    pub fn mask(&self) -> Mask {
        self.0.mask
    }

    pub(super) fn version(&self) -> Version {
        self.0.version
    }
}
