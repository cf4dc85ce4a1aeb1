//! Types in order, by id and by name.

use core::iter::FusedIterator;

use super::layout::Layouts;
use super::{Btf, BtfError, Kind, Member, Type};

/// The types in the order of their ids; ends after the first that cannot be read. Left out are
/// those of a kind that is not known, where the layout of kinds tells how long they are.
#[derive(Clone, Debug)]
pub struct Types<'a> {
    types: &'a [u8],
    layouts: Layouts<'a>,
    position: usize,
    id: u32,
}

/// What is at the place of one id.
pub(super) enum Step<'a> {
    /// A type.
    Type(Type<'a>),
    /// A type that cannot be read, and the next one starts at a place that is known.
    Unknown(BtfError),
    /// Nothing that can be read from here on.
    Wrong(BtfError),
}

impl<'a> Types<'a> {
    /// Where the next type starts in the types.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The id of the next type.
    pub(super) fn next_id(&self) -> u32 {
        self.id
    }

    /// Goes to the next id.
    pub(super) fn step(&mut self) -> Option<Step<'a>> {
        if self.position >= self.types.len() {
            return None;
        }
        let (next, step) = match Type::read(self.types, self.position, self.id) {
            Ok((ty, next)) => (next, Step::Type(ty)),
            Err(error) => {
                let unknown = matches!(error, BtfError::UnknownKind { .. });
                match self.layouts.end_of(self.types, self.position) {
                    Some(next) if unknown => (next, Step::Unknown(error)),
                    _ => (self.types.len(), Step::Wrong(error)),
                }
            }
        };
        self.position = next;
        self.id = self.id.saturating_add(1);
        Some(step)
    }
}

impl<'a> Iterator for Types<'a> {
    type Item = Result<Type<'a>, BtfError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step()? {
                Step::Type(ty) => return Some(Ok(ty)),
                Step::Unknown(_) => {}
                Step::Wrong(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Types<'_> {}

impl<'a> Btf<'a> {
    /// All types, from id 1; of split BTF those that are not in the base, from
    /// [`first_id`](Self::first_id).
    #[must_use]
    pub fn types(&self) -> Types<'a> {
        self.types_from(0, 0)
    }

    /// Those from the one `nth` after the first, which starts at `position`.
    fn types_from(&self, nth: u32, position: usize) -> Types<'a> {
        Types {
            types: self.types,
            layouts: Layouts(self.layout),
            position,
            id: self.first_id.saturating_add(nth),
        }
    }

    /// How many types there are, void not counted and those of the base counted; so it is the
    /// largest id. Reads them all, but for the base.
    ///
    /// # Errors
    /// What is wrong with the first type that cannot be read.
    pub fn count(&self) -> Result<u32, BtfError> {
        let mut types = self.types();
        while let Some(step) = types.step() {
            if let Step::Wrong(error) = step {
                return Err(error);
            }
        }
        Ok(types.next_id() - 1)
    }

    /// The type `id`; 0 is void. Walks there from the first type, or from near with an
    /// [`index`](Self::index).
    ///
    /// # Errors
    /// [`BtfError::NoType`], [`UnknownKind`](BtfError::UnknownKind), or what is wrong with a type
    /// on the way.
    pub fn get(&self, id: u32) -> Result<Type<'a>, BtfError> {
        if id == 0 {
            return Ok(Type::VOID);
        }
        let mut holder = self;
        while let (true, Some(base)) = (id < holder.first_id, holder.base) {
            holder = base;
        }
        let (nth, position) = holder.index.before(id - holder.first_id);
        let mut types = holder.types_from(nth, position);
        while let Some(step) = types.step() {
            let found = types.next_id() - 1 == id;
            match step {
                Step::Type(ty) if found => return Ok(ty),
                Step::Unknown(error) if found => return Err(error),
                Step::Wrong(error) => return Err(error),
                _ => {}
            }
        }
        Err(BtfError::NoType { id })
    }

    /// The first type of that kind and name, in the base before others. Walks through all types
    /// before it.
    ///
    /// # Errors
    /// What is wrong with a type on the way, or with its name's place.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Option<Type<'a>>, BtfError> {
        if let Some(base) = self.base
            && let Some(found) = base.find(kind, name)?
        {
            return Ok(Some(found));
        }
        for ty in self.types() {
            let ty = ty?;
            if ty.kind() == kind && self.is_named(ty.name_off(), name)? {
                return Ok(Some(ty));
            }
        }
        Ok(None)
    }

    /// The name of `ty`; empty if it has none.
    ///
    /// # Errors
    /// Those of [`string`](Self::string).
    pub fn name(&self, ty: &Type<'_>) -> Result<&'a str, BtfError> {
        self.string(ty.name_off())
    }

    /// The member of that name of the struct or union `ty`, not looking into anonymous ones.
    ///
    /// # Errors
    /// [`BtfError::StringOffset`] for a name that is not there.
    pub fn member(&self, ty: &Type<'_>, name: &str) -> Result<Option<Member>, BtfError> {
        for member in ty.members() {
            if self.is_named(member.name_off, name)? {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    fn is_named(&self, name_off: u32, name: &str) -> Result<bool, BtfError> {
        Ok(self.c_string(name_off)?.to_bytes() == name.as_bytes())
    }
}
