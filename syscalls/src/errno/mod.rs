//! `Errno`: why a system call or a ring operation failed, as the kernel says it.

mod codes;
pub(crate) mod differing;

use core::fmt;

/// The error number of a failed call: positive, as in `errno`(3).
///
/// It prints its C name, `ECANCELED`, or `errno 4000` where it has none.
///
/// ```
/// use annulus_syscalls::Errno;
///
/// assert_eq!(Errno::from_raw(125), Errno::ECANCELED);
/// assert_eq!(Errno::ECANCELED.to_string(), "ECANCELED");
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

/// The largest number that a result word may carry as an error (`MAX_ERRNO` of the kernel).
const ERRNO_MAX: usize = 4095;

impl Errno {
    /// The error with this number, which is positive.
    #[must_use]
    pub const fn from_raw(number: i32) -> Errno {
        Errno(number)
    }

    /// The number, positive, as `std::io::Error::from_raw_os_error` takes it.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Splits the result word of a system call: `-4095..=-1` is an error, anything else a value.
    ///
    /// # Errors
    /// The error that the word carries.
    #[inline]
    pub const fn check(ret: usize) -> Result<usize, Errno> {
        if ret > usize::MAX - ERRNO_MAX {
            Err(Errno(ret.wrapping_neg() as i32))
        } else {
            Ok(ret)
        }
    }

    /// The error of that C name, or None for a name that no header has.
    ///
    /// ```
    /// use annulus_syscalls::Errno;
    ///
    /// assert_eq!(Errno::from_name("ECANCELED"), Some(Errno::ECANCELED));
    /// assert_eq!(Errno::from_name("EWHATEVER"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Errno> {
        let mut names = codes::NAMES.iter();
        names.find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// The C name, if this number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let at = codes::NAMES.binary_search_by_key(&self, |entry| entry.0);
        at.ok().map(|index| codes::NAMES[index].1)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> std::io::Error {
        std::io::Error::from_raw_os_error(errno.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ERRNO_MAX, Errno, codes};

    #[test]
    fn names_are_sorted_so_that_they_can_be_searched() {
        assert!(codes::NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn only_the_last_4095_words_are_errors() {
        assert_eq!(Errno::check(0), Ok(0));
        assert_eq!(
            Errno::check(usize::MAX - ERRNO_MAX),
            Ok(usize::MAX - ERRNO_MAX)
        );
        assert_eq!(
            Errno::check(usize::MAX - ERRNO_MAX + 1),
            Err(Errno::from_raw(4095))
        );
        assert_eq!(Errno::check(usize::MAX), Err(Errno::EPERM));
    }

    #[test]
    fn a_number_without_a_name_has_none() {
        assert_eq!(Errno::from_raw(41).name(), None);
        assert_eq!(Errno::from_raw(0).name(), None);
        assert_eq!(Errno::EHWPOISON.name(), Some("EHWPOISON"));
    }
}
