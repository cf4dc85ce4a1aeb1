//! `SignalSet`: signals as the kernel's `sigset_t` holds them.

/// The signals there are: 1 to 64.
const SIGNALS: u32 = 64;
const WORDS: usize = 8 / size_of::<usize>();

/// A set of signals, laid out as the kernel's `sigset_t` of 64 bits: an array of machine words.
///
/// ```
/// use annulus_ring::SignalSet;
///
/// let all_but_sigint = SignalSet::ALL.without(2);
/// assert!(all_but_sigint.contains(15) && !all_but_sigint.contains(2));
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SignalSet([usize; WORDS]);

const _: () = assert!(size_of::<SignalSet>() == 8);

impl SignalSet {
    /// No signal.
    pub const NONE: SignalSet = SignalSet([0; WORDS]);
    /// Every signal. SIGKILL and SIGSTOP cannot be blocked all the same.
    pub const ALL: SignalSet = SignalSet([usize::MAX; WORDS]);

    /// The set and `signal`.
    ///
    /// # Panics
    /// If `signal` is not 1 to 64.
    #[must_use]
    pub const fn with(mut self, signal: u32) -> SignalSet {
        let (word, bit) = place(signal);
        self.0[word] |= bit;
        self
    }

    /// The set less `signal`.
    ///
    /// # Panics
    /// If `signal` is not 1 to 64.
    #[must_use]
    pub const fn without(mut self, signal: u32) -> SignalSet {
        let (word, bit) = place(signal);
        self.0[word] &= !bit;
        self
    }

    /// Whether `signal` is in the set.
    ///
    /// # Panics
    /// If `signal` is not 1 to 64.
    #[must_use]
    pub const fn contains(&self, signal: u32) -> bool {
        let (word, bit) = place(signal);
        self.0[word] & bit != 0
    }

    /// Its size in bytes, as the kernel wants to hear it.
    pub(crate) const fn size_bytes() -> u32 {
        size_of::<SignalSet>() as u32
    }
}

/// The word and the bit of `signal`, which are counted from 1.
const fn place(signal: u32) -> (usize, usize) {
    assert!(signal >= 1 && signal <= SIGNALS, "signals are 1 to 64");
    let index = signal - 1;
    ((index / usize::BITS) as usize, 1 << (index % usize::BITS))
}

#[cfg(test)]
mod tests {
    use super::SignalSet;

    #[test]
    fn each_signal_has_a_place_of_its_own() {
        for signal in 1..=64 {
            let one = SignalSet::NONE.with(signal);
            let all_but_one = SignalSet::ALL.without(signal);
            for other in 1..=64 {
                assert_eq!(one.contains(other), other == signal);
                assert_eq!(all_but_one.contains(other), other != signal);
            }
            assert_eq!(one.without(signal), SignalSet::NONE);
            assert_eq!(all_but_one.with(signal), SignalSet::ALL);
        }
    }

    #[test]
    #[should_panic(expected = "signals are 1 to 64")]
    fn there_is_no_signal_0() {
        let _ = SignalSet::NONE.with(0);
    }
}
