//! Sizes, through whatever lies between a type and something that has one.

use core::ops::Range;

use super::{Btf, BtfError, Kind, Member, Type};

/// How many types a chain may have, as in the kernel (`MAX_RESOLVE_DEPTH`).
pub const DEPTH_MAX: usize = 32;

impl<'a> Btf<'a> {
    /// What `id` comes to without typedefs, qualifiers and tags of types.
    ///
    /// # Errors
    /// [`BtfError::TooDeep`], and those of [`get`](Self::get).
    pub fn resolve(&self, id: u32) -> Result<Type<'a>, BtfError> {
        use Kind::{Const, Restrict, TypeTag, Typedef, Volatile};
        let mut at = id;
        for _ in 0..DEPTH_MAX {
            let ty = self.get(at)?;
            match (ty.kind(), ty.target()) {
                (Typedef | Const | Volatile | Restrict | TypeTag, Some(target)) => at = target,
                _ => return Ok(ty),
            }
        }
        Err(BtfError::TooDeep { id })
    }

    /// Size of the type `id` in bytes: of arrays all elements, of variables and attributes of
    /// declarations what they belong to. An array of no elements has none, whatever they are.
    ///
    /// # Errors
    /// [`BtfError::Unsized`], [`TooLarge`](BtfError::TooLarge), [`TooDeep`](BtfError::TooDeep),
    /// and those of [`get`](Self::get).
    pub fn size_of(&self, id: u32) -> Result<u64, BtfError> {
        let too_large = BtfError::TooLarge { id };
        let mut count: u64 = 1;
        let mut at = id;
        for _ in 0..DEPTH_MAX {
            let ty = self.get(at)?;
            if let Some(array) = ty.array() {
                count = count.checked_mul(array.nelems.into()).ok_or(too_large)?;
                at = array.type_id;
                continue;
            }
            let size = match (ty.kind(), ty.own_size(), ty.target()) {
                (_, Some(size), _) => u64::from(size),
                (Kind::Ptr, ..) => u64::from(self.pointer_bytes),
                _ if count == 0 => 0,
                (Kind::Func | Kind::FuncProto, ..) | (.., None) => {
                    return Err(BtfError::Unsized { id: ty.id() });
                }
                (.., Some(target)) => {
                    at = target;
                    continue;
                }
            };
            return count.checked_mul(size).ok_or(too_large);
        }
        Err(BtfError::TooDeep { id })
    }

    /// The bits of its struct that `member` takes, bitfields of both encodings included.
    ///
    /// # Errors
    /// Those of [`size_of`](Self::size_of) for its type.
    pub fn member_bits(&self, member: &Member) -> Result<Range<u64>, BtfError> {
        let start = u64::from(member.bit_offset);
        if member.bitfield_size != 0 {
            return Ok(start..start + u64::from(member.bitfield_size));
        }
        let bits = self.size_of(member.type_id)?.checked_mul(8);
        let bits = bits.ok_or(BtfError::TooLarge { id: member.type_id })?;
        match self.resolve(member.type_id)?.int() {
            Some(int) if u64::from(int.bits) < bits => {
                let start = start + u64::from(int.offset);
                Ok(start..start + u64::from(int.bits))
            }
            _ => {
                let end = start.checked_add(bits);
                let end = end.ok_or(BtfError::TooLarge { id: member.type_id })?;
                Ok(start..end)
            }
        }
    }
}
