//! `SetupError`: why there is no ring, and what the user can do about it.

use std::string::String;
use std::{fmt, fs, io};

use crate::Errno;
use crate::version::Version;

/// Why io_uring cannot be used. Its text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    cause: SetupCause,
    errno: Errno,
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupCause {
    /// The kernel has no io_uring, or something between it and us hides it (ENOSYS).
    Absent,
    /// `kernel.io_uring_disabled` is 1 and the process is not in `kernel.io_uring_group`.
    DisabledForUsers,
    /// `kernel.io_uring_disabled` is 2.
    Disabled,
    /// A filter or security module refuses it (EPERM or EACCES, with the sysctl at 0).
    Filtered,
    /// The kernel is older than 5.19; this is what it can do.
    TooOld(Version),
    /// Over a memory limit (ENOMEM).
    Memory,
    /// No descriptor left (EMFILE, ENFILE).
    Descriptors,
    /// Anything else.
    Other,
}

impl SetupError {
    /// What `errno` means here, after a look at the sysctl.
    pub(super) fn of(errno: Errno) -> SetupError {
        SetupError::explain(errno, io_uring_disabled())
    }

    /// What `errno` means where `kernel.io_uring_disabled` has this value, if it is there.
    #[must_use]
    pub fn explain(errno: Errno, io_uring_disabled: Option<u8>) -> SetupError {
        let cause = match (errno, io_uring_disabled) {
            (Errno::ENOSYS, _) => SetupCause::Absent,
            (Errno::EPERM, Some(1)) => SetupCause::DisabledForUsers,
            (Errno::EPERM, Some(2)) => SetupCause::Disabled,
            (Errno::EPERM | Errno::EACCES, _) => SetupCause::Filtered,
            (Errno::ENOMEM, _) => SetupCause::Memory,
            (Errno::EMFILE | Errno::ENFILE, _) => SetupCause::Descriptors,
            _ => SetupCause::Other,
        };
        SetupError { cause, errno }
    }

    pub(super) fn too_old(version: Version) -> SetupError {
        SetupError {
            cause: SetupCause::TooOld(version),
            errno: Errno::ENOSYS,
        }
    }

    /// The kind of reason.
    #[must_use]
    pub fn cause(&self) -> SetupCause {
        self.cause
    }

    /// What the kernel said; ENOSYS for one that is too old.
    #[must_use]
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.cause {
            SetupCause::Absent => {
                "run Linux 5.19 or later with CONFIG_IO_URING, outside sandboxes that hide it"
            }
            SetupCause::DisabledForUsers => {
                "set the sysctl kernel.io_uring_disabled to 0, or put the process into the group \
                 that kernel.io_uring_group names"
            }
            SetupCause::Disabled => "set the sysctl kernel.io_uring_disabled to 0",
            SetupCause::Filtered => {
                "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile \
                 of the container or service, and in its security module"
            }
            SetupCause::TooOld(_) => "run Linux 5.19 or later",
            SetupCause::Memory => {
                "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=) or of the cgroup's \
                 memory, or ask for smaller rings"
            }
            SetupCause::Descriptors => "raise the limit of open files (ulimit -n, LimitNOFILE=)",
            SetupCause::Other => "see io_uring_setup(2) for this error",
        }
    }

    fn kind(&self) -> io::ErrorKind {
        match self.cause {
            SetupCause::Absent | SetupCause::TooOld(_) => io::ErrorKind::Unsupported,
            _ => io::Error::from(self.errno).kind(),
        }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("io_uring cannot be used: ")?;
        match self.cause {
            SetupCause::Absent => f.write_str("the kernel does not have it")?,
            SetupCause::DisabledForUsers => {
                f.write_str("the sysctl kernel.io_uring_disabled is 1")?;
            }
            SetupCause::Disabled => f.write_str("the sysctl kernel.io_uring_disabled is 2")?,
            SetupCause::Filtered => {
                f.write_str("a seccomp filter or security module refuses it")?
            }
            SetupCause::TooOld(version) => write!(f, "the kernel's is that of Linux {version}")?,
            SetupCause::Memory => f.write_str("there is not enough memory for the ring")?,
            SetupCause::Descriptors => f.write_str("there is no file descriptor left")?,
            SetupCause::Other => f.write_str("setting it up failed")?,
        }
        write!(f, " ({}); {}", self.errno, self.remedy())
    }
}

impl std::error::Error for SetupError {}

impl From<SetupError> for io::Error {
    fn from(error: SetupError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// The value of `kernel.io_uring_disabled` (since 6.6), if it can be read.
fn io_uring_disabled() -> Option<u8> {
    let text: String = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::string::ToString;

    use super::{SetupCause, SetupError};
    use crate::Errno;
    use crate::version::Version;

    #[test]
    fn each_errno_has_its_cause() {
        let cause = |errno, sysctl| SetupError::explain(errno, sysctl).cause();
        assert_eq!(cause(Errno::ENOSYS, None), SetupCause::Absent);
        assert_eq!(cause(Errno::EPERM, Some(2)), SetupCause::Disabled);
        assert_eq!(cause(Errno::EPERM, Some(1)), SetupCause::DisabledForUsers);
        assert_eq!(cause(Errno::EPERM, Some(0)), SetupCause::Filtered);
        assert_eq!(cause(Errno::EPERM, None), SetupCause::Filtered);
        assert_eq!(cause(Errno::EACCES, Some(2)), SetupCause::Filtered);
        assert_eq!(cause(Errno::ENOMEM, Some(0)), SetupCause::Memory);
        assert_eq!(cause(Errno::EMFILE, Some(0)), SetupCause::Descriptors);
        assert_eq!(cause(Errno::EFAULT, Some(0)), SetupCause::Other);
    }

    #[test]
    fn the_text_says_what_happened_what_the_kernel_said_and_what_to_do() {
        let text = SetupError::explain(Errno::EPERM, Some(2)).to_string();
        assert_eq!(
            text,
            "io_uring cannot be used: the sysctl kernel.io_uring_disabled is 2 (EPERM); \
             set the sysctl kernel.io_uring_disabled to 0"
        );
        let text = SetupError::too_old(Version::new(5, 15)).to_string();
        assert_eq!(
            text,
            "io_uring cannot be used: the kernel's is that of Linux 5.15 (ENOSYS); \
             run Linux 5.19 or later"
        );
    }

    #[test]
    fn as_an_io_error_it_keeps_its_kind_and_its_text() {
        let kind = |errno| io::Error::from(SetupError::explain(errno, Some(0))).kind();
        assert_eq!(kind(Errno::ENOSYS), io::ErrorKind::Unsupported);
        assert_eq!(kind(Errno::EPERM), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(Errno::EACCES), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(Errno::ENOMEM), io::ErrorKind::OutOfMemory);
        let error = io::Error::from(SetupError::explain(Errno::ENOMEM, None));
        assert!(error.to_string().contains("LimitMEMLOCK"));
        assert!(
            error
                .get_ref()
                .is_some_and(|inner| inner.is::<SetupError>())
        );
    }
}
