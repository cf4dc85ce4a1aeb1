//! Types in order, by id and by name.

use core::iter::FusedIterator;

use super::{Btf, BtfError, Kind, Member, Type};

/// The types in the order of their ids, from 1; ends after the first that cannot be read.
#[derive(Clone, Debug)]
pub struct Types<'a> {
    types: &'a [u8],
    position: usize,
    id: u32,
}

impl Types<'_> {
    /// Where the next type starts in the types.
    pub(super) fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Types<'a> {
    type Item = Result<Type<'a>, BtfError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.types.len() {
            return None;
        }
        let read = Type::read(self.types, self.position, self.id);
        self.position = read.map_or(self.types.len(), |(_, next)| next);
        self.id += 1;
        Some(read.map(|(ty, _)| ty))
    }
}

impl FusedIterator for Types<'_> {}

impl<'a> Btf<'a> {
    /// All types, from id 1.
    #[must_use]
    pub fn types(&self) -> Types<'a> {
        Types {
            types: self.types,
            position: 0,
            id: 1,
        }
    }

    /// How many types there are, void not counted; so it is the largest id. Reads them all.
    ///
    /// # Errors
    /// What is wrong with the first type that cannot be read.
    pub fn count(&self) -> Result<u32, BtfError> {
        self.types().try_fold(0, |_, ty| ty.map(|ty| ty.id()))
    }

    /// The type `id`; 0 is void. Walks there from the first type, or from near with an
    /// [`index`](Self::index).
    ///
    /// # Errors
    /// [`BtfError::NoType`], or what is wrong with a type on the way.
    pub fn get(&self, id: u32) -> Result<Type<'a>, BtfError> {
        if id == 0 {
            return Ok(Type::VOID);
        }
        let (first, position) = self.index.before(id);
        let mut from = Types {
            types: self.types,
            position,
            id: first,
        };
        let found = from.try_fold((), |(), ty| match ty {
            Ok(ty) if ty.id() == id => Err(Ok(ty)),
            Ok(_) => Ok(()),
            Err(error) => Err(Err(error)),
        });
        found.err().unwrap_or(Err(BtfError::NoType { id }))
    }

    /// The first type of that kind and name. Walks through all types before it.
    ///
    /// # Errors
    /// What is wrong with a type on the way, or with its name's place.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Option<Type<'a>>, BtfError> {
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
