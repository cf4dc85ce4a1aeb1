//! Two pages for whoever comes from tokio.
#![forbid(unsafe_code)]

#[doc = include_str!("../docs/migrating.md")]
pub mod migrating {}

#[doc = include_str!("../docs/differences.md")]
pub mod differences {}
