//! `Type`: one type, and what its kind says of it.

use super::bytes::{read_u32, slice, word};
use super::list::List;
use super::{
    Array, BtfError, DeclTag, Enumerator, Forward, FuncLinkage, IntInfo, Kind, Member, Param,
    VarLinkage, VarSecInfo,
};

/// Bytes that every type has.
pub(super) const COMMON_BYTES: usize = 12;

/// One type. What does not belong to its kind is `None`, or a list without elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type<'a> {
    id: u32,
    kind: Kind,
    name_off: u32,
    info: u32,
    size_or_type: u32,
    /// As long as [`Kind::payload_bytes`] says.
    payload: &'a [u8],
}

impl<'a> Type<'a> {
    /// Id 0.
    pub(super) const VOID: Type<'static> = Type {
        id: 0,
        kind: Kind::Void,
        name_off: 0,
        info: 0,
        size_or_type: 0,
        payload: &[],
    };

    /// Reads the type at `start` of `types`; gives it and the start of the next.
    ///
    /// The number of elements is read from 24 bits and the kind from 7, as the newest kernels
    /// have them. In older ones the upper 8 and 2 are reserved and zero, so it reads the same.
    pub(super) fn read(types: &'a [u8], start: usize, id: u32) -> Result<(Self, usize), BtfError> {
        let info = read_u32(types, start.saturating_add(4))?;
        let number = (info >> 24 & 0x7f) as u8;
        let kind = Kind::from_raw(number).filter(|&kind| kind != Kind::Void);
        let kind = kind.ok_or(BtfError::UnknownKind { id, kind: number })?;
        let payload_start = start.saturating_add(COMMON_BYTES);
        let payload_bytes = kind.payload_bytes(info & 0x00ff_ffff);
        let ty = Type {
            id,
            kind,
            name_off: read_u32(types, start)?,
            info,
            size_or_type: read_u32(types, start.saturating_add(8))?,
            payload: slice(types, payload_start, payload_bytes)?,
        };
        Ok((ty, payload_start + payload_bytes))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where its name starts in the strings, see [`Btf::string`](super::Btf::string); 0 if it has
    /// none.
    #[must_use]
    pub fn name_off(&self) -> u32 {
        self.name_off
    }

    /// Number of its elements; of a function the linkage.
    #[must_use]
    pub fn vlen(&self) -> u32 {
        self.info & 0x00ff_ffff
    }

    /// Of a struct or union: members have [`bitfield_size`](Member::bitfield_size). Of an enum: it
    /// is signed. Of a forward declaration: it declares a union. Of a tag: it is an attribute.
    #[must_use]
    pub fn kind_flag(&self) -> bool {
        self.info >> 31 == 1
    }

    /// Its size in bytes, where the type itself has one; else see
    /// [`Btf::size_of`](super::Btf::size_of).
    #[must_use]
    pub fn own_size(&self) -> Option<u32> {
        use Kind::{Datasec, Enum, Enum64, Float, Int, Struct, Union};
        match self.kind {
            Int | Struct | Union | Enum | Enum64 | Datasec | Float => Some(self.size_or_type),
            _ => None,
        }
    }

    /// Id of the type that it refers to: pointed to, renamed, qualified, tagged, of the variable;
    /// the signature of a function, or what a signature returns.
    #[must_use]
    pub fn target(&self) -> Option<u32> {
        use Kind::{
            Const, DeclTag, Func, FuncProto, Ptr, Restrict, TypeTag, Typedef, Var, Volatile,
        };
        match self.kind {
            Ptr | Typedef | Volatile | Const | Restrict | Func | FuncProto | Var | DeclTag
            | TypeTag => Some(self.size_or_type),
            _ => None,
        }
    }

    /// Of an integer: bits and encoding.
    #[must_use]
    pub fn int(&self) -> Option<IntInfo> {
        (self.kind == Kind::Int).then(|| IntInfo::from_raw(word(self.payload, 0)))
    }

    /// Of an array: what and how many.
    #[must_use]
    pub fn array(&self) -> Option<Array> {
        (self.kind == Kind::Array).then(|| Array {
            type_id: word(self.payload, 0),
            index_type_id: word(self.payload, 1),
            nelems: word(self.payload, 2),
        })
    }

    /// Of a struct or union: its members.
    #[must_use]
    pub fn members(&self) -> List<'a, Member> {
        List::new(
            self.payload_of(&[Kind::Struct, Kind::Union]),
            self.kind_flag(),
        )
    }

    /// Of an enum of either width: its values.
    pub fn enumerators(&self) -> impl Iterator<Item = Enumerator> + Clone + use<'a> {
        let is_signed = self.kind_flag();
        let narrow = self.payload_of(&[Kind::Enum]).chunks_exact(8);
        let wide = self.payload_of(&[Kind::Enum64]).chunks_exact(12);
        narrow
            .map(move |bytes| Enumerator::read_32(bytes, is_signed))
            .chain(wide.map(move |bytes| Enumerator::read_64(bytes, is_signed)))
    }

    /// Of a signature: its parameters.
    #[must_use]
    pub fn params(&self) -> List<'a, Param> {
        List::new(self.payload_of(&[Kind::FuncProto]), false)
    }

    /// Of a section: its variables.
    #[must_use]
    pub fn variables(&self) -> List<'a, VarSecInfo> {
        List::new(self.payload_of(&[Kind::Datasec]), false)
    }

    /// Of a variable: who sees it.
    #[must_use]
    pub fn var_linkage(&self) -> Option<VarLinkage> {
        (self.kind == Kind::Var).then(|| VarLinkage::from_raw(word(self.payload, 0)))
    }

    /// Of a function: who sees it.
    #[must_use]
    pub fn func_linkage(&self) -> Option<FuncLinkage> {
        (self.kind == Kind::Func).then(|| FuncLinkage::from_raw(self.vlen()))
    }

    /// Of a forward declaration: what it declares.
    #[must_use]
    pub fn forward(&self) -> Option<Forward> {
        let declared = if self.kind_flag() {
            Forward::Union
        } else {
            Forward::Struct
        };
        (self.kind == Kind::Fwd).then_some(declared)
    }

    /// Of an attribute of a declaration: what it belongs to.
    #[must_use]
    pub fn decl_tag(&self) -> Option<DeclTag> {
        (self.kind == Kind::DeclTag).then(|| {
            let index = word(self.payload, 0);
            DeclTag {
                component_idx: (index != u32::MAX).then_some(index),
            }
        })
    }

    /// The payload, if the type is of one of `kinds`, else nothing.
    fn payload_of(&self, kinds: &[Kind]) -> &'a [u8] {
        if kinds.contains(&self.kind) {
            self.payload
        } else {
            &[]
        }
    }
}
