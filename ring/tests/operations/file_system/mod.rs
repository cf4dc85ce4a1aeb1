//! The file system: space, sizes, advice, syncing, names, links, attributes, and data moved
//! without being seen.

mod advice;
mod attributes;
mod entries;
mod links;
mod moving;
mod space;
mod status;
mod sync;
