//! A reader of BTF, the type format in which the kernel and BPF objects describe themselves.
//!
//! ```text
//!   header | types: 12 bytes each, and what their kind adds | strings: NUL-terminated
//!            id 1   id 2   id 3 ...                            offset 0 is ""
//! ```
//!
//! [`Btf`] reads `/sys/kernel/btf/vmlinux` or the `.BTF` section of an object, with
//! [`Btf::parse_split`] that of a module, [`BtfExt`] the `.BTF.ext` section of an object. Nothing
//! is copied and nothing allocated: what is handed out borrows the bytes. Nothing in them is
//! believed either: each length and offset is checked where it is used, chains of types are
//! followed [`DEPTH_MAX`] steps, and what does not hold is a [`BtfError`]. So hostile bytes cost an
//! error, never a panic, and each call ends.
//!
//! Types have no fixed size, so finding one by its id means walking there. [`Btf::index`] makes
//! that short, with as much memory as the caller likes to give.
#![forbid(unsafe_code)]

mod bytes;
mod elements;
mod error;
mod ext;
mod header;
mod index;
mod kind;
mod layout;
mod list;
mod lookup;
mod reader;
mod size;
mod ty;

pub use elements::{Enumerator, Member, Param, VarSecInfo};
pub use error::BtfError;
pub use ext::{
    BtfExt, CoreRelo, CoreReloKind, ExtHeader, ExtRecord, FuncInfo, LineInfo, Records, Section,
    Sections,
};
pub use header::{Header, MAGIC, VERSION};
pub use kind::{Array, DeclTag, Forward, FuncLinkage, IntEncoding, IntInfo, Kind, VarLinkage};
pub use layout::KindLayout;
pub use list::{Element, List};
pub use lookup::Types;
pub use reader::Btf;
pub use size::DEPTH_MAX;
pub use ty::Type;

/// The largest type id that the kernel accepts (`BTF_MAX_TYPE`).
pub const TYPE_ID_MAX: u32 = 0x000f_ffff;
/// The largest offset of a string that the kernel accepts (`BTF_MAX_NAME_OFFSET`).
pub const NAME_OFFSET_MAX: u32 = 0x00ff_ffff;
/// The largest number of elements of a type before `vlen` got its 24 bits (`BTF_MAX_VLEN`).
pub const VLEN_MAX: u32 = 0xffff;
