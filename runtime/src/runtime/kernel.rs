//! Which kernel a runtime gets: Linux's io_uring, its emulation where that is refused, or a
//! simulated one.
//!
//! ```text
//!   Builder::kernel   Uring, Emulated, Simulated: that one, or an error
//!                     Auto: ANNULUS_KERNEL   uring, emulated, simulated: that one, or an error
//!                                            auto, not set: io_uring, else its emulation
//! ```
#![forbid(unsafe_code)]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use annulus_ring::kernel::SetupCause;
use annulus_ring::{Kernel, Mask, SetupError, Version};

use crate::sim::Alone;

/// The variable that chooses where [`KernelKind::Auto`] would.
const VARIABLE: &str = "ANNULUS_KERNEL";

/// The variable that hides what is newer than a release, where the builder hides nothing.
const MASK_VARIABLE: &str = "ANNULUS_MASK";

/// What the variable ANNULUS_MASK hides.
///
/// # Errors
///
/// If it is no release.
pub(crate) fn mask_from_variable() -> io::Result<Mask> {
    let Some(text) = std::env::var_os(MASK_VARIABLE) else {
        return Ok(Mask::NONE);
    };
    mask_named(text.to_str()).ok_or_else(|| {
        let problem = format!("{MASK_VARIABLE} must be a kernel release such as 6.1, not {text:?}");
        io::Error::new(io::ErrorKind::InvalidInput, problem)
    })
}

fn mask_named(name: Option<&str>) -> Option<Mask> {
    let name = name?;
    if name.is_empty() {
        return Some(Mask::NONE);
    }
    let (major, minor) = name.split_once('.')?;
    let newest = Version::new(major.parse().ok()?, minor.parse().ok()?);
    Some(Mask::up_to(newest))
}

/// What performs a runtime's operations: see [`Builder::kernel`](super::Builder::kernel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KernelKind {
    /// What the environment variable ANNULUS_KERNEL names (`uring`, `emulated`, `simulated`);
    /// without it Linux's io_uring, and its emulation where io_uring is missing, forbidden (by a seccomp profile, the
    /// sysctl `kernel.io_uring_disabled`, a security module), older than Linux 5.19, or over a
    /// memory limit.
    #[default]
    Auto,
    /// Linux's io_uring, or an error.
    Uring,
    /// The same operations in user space, by epoll and threads. It needs no io_uring, loses none of
    /// the runtime's promises, and is slower: more system calls for each operation, and a thread
    /// for each that works on a file, but for reads of what is in memory.
    Emulated,
    /// A simulated machine, for tests: clock, network, files and scheduling follow from the seed
    /// that ANNULUS_SEED names, 0 without it. It has no threads: `block_on` runs workers and
    /// blocking closures by turns, and a test that sleeps for an hour takes no time. What its
    /// limits are says [`sim`](crate::sim#one-host-by-a-variable).
    Simulated,
}

/// A kernel, and why it is this one.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) kernel: Kernel,
    pub(crate) why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    /// The builder said so.
    Asked,
    /// The environment said so.
    Variable,
    /// It is there.
    Available,
    /// io_uring is not.
    Refused(SetupError),
}

impl KernelKind {
    /// What the variable says.
    ///
    /// # Errors
    ///
    /// If that is the name of no kernel.
    pub(crate) fn from_variable() -> io::Result<KernelKind> {
        let Some(text) = std::env::var_os(VARIABLE) else {
            return Ok(KernelKind::Auto);
        };
        KernelKind::named(text.to_str()).ok_or_else(|| {
            let problem =
                format!("{VARIABLE} must be auto, uring, emulated or simulated, not {text:?}");
            io::Error::new(io::ErrorKind::InvalidInput, problem)
        })
    }

    fn named(name: Option<&str>) -> Option<KernelKind> {
        match name? {
            "" | "auto" => Some(KernelKind::Auto),
            "uring" => Some(KernelKind::Uring),
            "emulated" => Some(KernelKind::Emulated),
            "simulated" => Some(KernelKind::Simulated),
            _ => None,
        }
    }

    /// What the builder or the variable says, and which of them does.
    ///
    /// # Errors
    ///
    /// An unknown name in the variable.
    pub(crate) fn resolve(self) -> io::Result<(KernelKind, Why)> {
        Ok(match self {
            KernelKind::Auto => (KernelKind::from_variable()?, Why::Variable),
            kind => (kind, Why::Asked),
        })
    }

    /// The kernel of this kind, with what `mask` says hidden.
    ///
    /// # Errors
    ///
    /// An unknown name in the variable; why there is no io_uring, where it has to be that or may
    /// not be given up for this reason. A simulated kernel is one of a runtime on this thread.
    pub(crate) fn choose(self, mask: Mask) -> io::Result<Chosen> {
        let (kind, asked) = self.resolve()?;
        match kind {
            KernelKind::Simulated => {
                let alone = Alone::here().ok_or_else(|| {
                    let problem = "there is no simulated world before a runtime is built";
                    io::Error::new(io::ErrorKind::Unsupported, problem)
                })?;
                Ok(Chosen {
                    kernel: alone.kernel().clone(),
                    why: asked,
                })
            }
            KernelKind::Uring => Ok(Chosen {
                kernel: Kernel::uring(mask)?,
                why: asked,
            }),
            KernelKind::Emulated => Ok(Chosen {
                kernel: Kernel::emulated(mask),
                why: asked,
            }),
            KernelKind::Auto => match Kernel::uring(mask) {
                Ok(kernel) => Ok(Chosen {
                    kernel,
                    why: Why::Available,
                }),
                Err(error) => Chosen::instead(mask, error),
            },
        }
    }
}

impl Chosen {
    /// The emulation, where io_uring is refused for a reason that it does not share.
    ///
    /// # Errors
    ///
    /// The reason, if it does.
    pub(crate) fn instead(mask: Mask, error: SetupError) -> io::Result<Chosen> {
        match error.cause() {
            SetupCause::Absent
            | SetupCause::DisabledForUsers
            | SetupCause::Disabled
            | SetupCause::Filtered
            | SetupCause::TooOld(_)
            | SetupCause::Memory => Ok(Chosen {
                kernel: Kernel::emulated(mask),
                why: Why::Refused(error),
            }),
            _ => Err(error.into()),
        }
    }

    /// Whether io_uring may still be given up for its emulation.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.why, Why::Available)
    }

    /// What was chosen, and why.
    fn line(&self) -> String {
        let name = name(&self.kernel);
        match &self.why {
            Why::Asked => format!("kernel: {name}, as Builder::kernel says"),
            Why::Variable => format!("kernel: {name}, as {VARIABLE} says"),
            Why::Available => format!("kernel: {name}, Linux {}", self.kernel.version()),
            Why::Refused(error) => {
                format!("kernel: {name}, by epoll and threads, which is slower, for {error}")
            }
        }
    }
}

/// The line of the log about the kernel, which is said once: when the runtime is built or, where
/// nobody listens yet, once somebody does. A program often sets up its log in the future that it
/// blocks on.
#[derive(Debug, Default)]
pub(crate) struct News {
    line: OnceLock<String>,
    is_warning: AtomicBool,
    untold: AtomicBool,
}

impl News {
    /// Called once, before the runtime is anybody's.
    pub(crate) fn are(&self, chosen: &Chosen) {
        let warns = matches!(chosen.why, Why::Refused(_));
        self.is_warning.store(warns, Ordering::Relaxed);
        self.line.get_or_init(|| chosen.line());
        self.untold.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Says the line, if it was not said and somebody listens.
    pub(crate) fn tell(&self) {
        if !self.untold.load(Ordering::Relaxed) {
            return;
        }
        let warns = self.is_warning.load(Ordering::Relaxed);
        let heard = if warns {
            trace::enabled!(trace::Level::WARN)
        } else {
            trace::enabled!(trace::Level::INFO)
        };
        if !heard || !self.untold.swap(false, Ordering::Relaxed) {
            return;
        }
        let line = self.line.get().map_or("", String::as_str);
        if warns {
            trace::warn!("{line}");
        } else {
            trace::info!("{line}");
        }
    }
}

/// What the variable calls it.
pub(crate) fn name(kernel: &Kernel) -> &'static str {
    match kernel {
        Kernel::Uring(_) => "uring",
        Kernel::Emulated(_) => "emulated",
        Kernel::Simulated(_) => "simulated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kernels_are_those_that_are_told() {
        assert_eq!(KernelKind::named(Some("")), Some(KernelKind::Auto));
        assert_eq!(KernelKind::named(Some("auto")), Some(KernelKind::Auto));
        assert_eq!(KernelKind::named(Some("uring")), Some(KernelKind::Uring));
        let emulated = KernelKind::named(Some("emulated"));
        assert_eq!(emulated, Some(KernelKind::Emulated));
        let simulated = KernelKind::named(Some("simulated"));
        assert_eq!(simulated, Some(KernelKind::Simulated));
        assert_eq!(KernelKind::named(Some("epoll")), None);
        assert_eq!(KernelKind::named(None), None);
        assert_eq!(name(&Kernel::emulated(Mask::NONE)), "emulated");
    }

    #[test]
    fn a_mask_is_named_by_its_release() {
        assert_eq!(mask_named(Some("6.1")), Some(Mask::V6_1));
        assert_eq!(mask_named(Some("")), Some(Mask::NONE));
        for wrong in ["6", "six.one", "6.1.2", "uring"] {
            assert_eq!(mask_named(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn io_uring_is_given_up_for_what_its_emulation_does_not_share() {
        use annulus_ring::Errno;
        let instead = |errno| Chosen::instead(Mask::NONE, SetupError::explain(errno, Some(0)));
        for errno in [Errno::ENOSYS, Errno::EPERM, Errno::EACCES, Errno::ENOMEM] {
            let chosen = instead(errno).expect("the emulation needs none of it");
            assert_eq!(name(&chosen.kernel), "emulated");
        }
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::EFAULT] {
            assert!(instead(errno).is_err(), "{errno}");
        }
    }
}
