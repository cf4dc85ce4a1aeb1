//! `#[annulus::main]` and `#[annulus::test]`.
//!
//! Both turn an `async fn` into a plain one that builds a runtime and blocks
//! on the body:
//!
//! ```text
//! #[annulus::main]                 fn main() -> io::Result<()> {
//! async fn main()                      ::annulus::runtime::Builder::new_multi_thread()
//!     -> io::Result<()>    ==>             .enable_all().build().expect(..)
//! { .. }                                   .block_on(async { .. })
//!                                  }
//! ```
//!
//! `args` reads the attribute, `function` takes the function apart and puts
//! it together again, `path` finds the name under which the user's crate
//! knows annulus.
#![forbid(unsafe_code)]

mod args;
mod function;
mod path;

use proc_macro::TokenStream;

/// Runs an `async fn` on a runtime of its own, usually `main`.
///
/// The function keeps its attributes, visibility, generics and return type. A
/// `main` takes no arguments.
///
/// | argument | value | default |
/// |---|---|---|
/// | `flavor` | `"multi_thread"`, `"current_thread"` or `"local"` | `"multi_thread"` |
/// | `worker_threads` | an integer above 0; `multi_thread` only | one per CPU |
/// | `start_paused` | `true` or `false`; not with `multi_thread`; needs feature `test-util` | `false` |
/// | `unhandled_panic` | `"ignore"`; not with `multi_thread` | `"ignore"` |
/// | `name` | a string, the runtime's name | none |
/// | `crate` | the path of annulus, as a string | found in the crate's Cargo.toml |
///
/// # Errors
///
/// A wrong argument is a compile error that names the right one.
///
/// # Panics
///
/// The function panics when the runtime cannot be built, for instance where the
/// kernel refuses io_uring; the message has the cause and the remedy.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(args::Kind::Main, args.into(), item.into()).into()
}

/// Runs an `async fn` as a test, on a runtime of its own.
///
/// As [`macro@main`], save that the default flavor is `"current_thread"` and
/// that the function gets std's `#[test]`, so it may not carry one already.
///
/// # Errors
///
/// A wrong argument, or a second `#[test]`, is a compile error.
///
/// # Panics
///
/// As [`macro@main`].
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(args::Kind::Test, args.into(), item.into()).into()
}
