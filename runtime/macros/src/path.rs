//! Under which name the user's crate knows annulus.
//!
//! | the user's Cargo.toml | found |
//! |---|---|
//! | `annulus = ..` | `::annulus` |
//! | `tokio = { package = "annulus", .. }` | `::tokio` |
//! | `tokio = "1"`, and `[patch.crates-io] tokio` is annulus | `::tokio` |
//! | neither, the macro came by a re-export | `annulus`, as the user's scope has it |
#![forbid(unsafe_code)]

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The path of annulus, as the manifest of the crate being compiled has it.
pub(crate) fn find() -> TokenStream {
    from_manifest(["annulus", "tokio"].map(|package| crate_name(package).ok()))
}

/// `found` is what the manifest says of the packages `annulus` and `tokio`.
///
/// A manifest with both means annulus: this macro is annulus', and a `tokio`
/// beside it is the real one.
fn from_manifest([annulus, tokio]: [Option<FoundCrate>; 2]) -> TokenStream {
    match annulus.or(tokio) {
        Some(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            quote!(::#name)
        }
        // annulus' own documentation and unit tests: the library names itself
        // with `extern crate self as annulus`.
        Some(FoundCrate::Itself) => quote!(::annulus),
        None => {
            let name = Ident::new("annulus", Span::call_site());
            quote!(#name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Option<FoundCrate> {
        Some(FoundCrate::Name(name.to_owned()))
    }

    #[test]
    fn the_path_follows_the_manifest() {
        for (found, path) in [
            ([name("annulus"), None], quote!(::annulus)),
            ([name("tokio"), None], quote!(::tokio)),
            ([None, name("tokio")], quote!(::tokio)),
            ([name("ring_rt"), name("tokio")], quote!(::ring_rt)),
            ([Some(FoundCrate::Itself), None], quote!(::annulus)),
            ([None, None], quote!(annulus)),
        ] {
            assert_eq!(from_manifest(found).to_string(), path.to_string());
        }
    }
}
