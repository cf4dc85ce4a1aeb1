//! Where every so many types one starts, so that none is far away.

use super::lookup::Step;
use super::{Btf, BtfError};

/// `offsets[k]` is where the type `k * stride` after the first starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'a> {
    offsets: &'a [u32],
    stride: u32,
}

impl<'a> Index<'a> {
    /// Every walk starts at the first type.
    pub(super) const NONE: Index<'static> = Index {
        offsets: &[],
        stride: 1,
    };

    /// The closest type at or before the one `nth` after the first, and where it starts.
    pub(super) fn before(&self, nth: u32) -> (u32, usize) {
        let at = nth / self.stride;
        match self.offsets.get(at as usize) {
            Some(&offset) => (at * self.stride, offset as usize),
            None => (0, 0),
        }
    }
}

impl<'a> Btf<'a> {
    /// Reads all types once, and makes [`get`](Self::get) quick: of n types, it then walks past
    /// n / `slots.len()` at most. Uses as many slots as there are types, and none is needed. Of
    /// split BTF it is for the types that are not in the base; index that before.
    ///
    /// ```
    /// use annulus_syscalls::btf::{Btf, BtfError};
    ///
    /// let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    /// if let Ok(btf) = Btf::parse(&bytes) {
    ///     let mut slots = vec![0; btf.count()? as usize];
    ///     let btf = btf.index(&mut slots)?;
    ///     assert_eq!(btf.get(btf.count()?)?.id(), btf.count()?);
    /// }
    /// # Ok::<(), BtfError>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the first type that cannot be read.
    pub fn index(self, slots: &'a mut [u32]) -> Result<Btf<'a>, BtfError> {
        let count = self.count()? - (self.first_id - 1);
        let Some(room) = u32::try_from(slots.len()).ok().filter(|&room| room > 0) else {
            return Ok(self);
        };
        let stride = count.div_ceil(room).max(1);
        let mut used = 0;
        let mut types = self.types();
        loop {
            let start = types.position();
            let nth = types.next_id() - self.first_id;
            match types.step() {
                None => break,
                Some(Step::Wrong(error)) => return Err(error),
                Some(_) if nth.is_multiple_of(stride) => {
                    // The section's size is 32 bits, so its offsets are.
                    slots[used] = start as u32;
                    used += 1;
                }
                Some(_) => {}
            }
        }
        Ok(Btf {
            index: Index {
                offsets: &slots[..used],
                stride,
            },
            ..self
        })
    }
}
