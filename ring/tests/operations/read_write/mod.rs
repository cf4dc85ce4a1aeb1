//! Reads and writes: buffered, direct, registered and vectored; positions and offsets; short
//! results; files that answer at once, later, or in pieces.

mod data;
mod large;
mod pipes;
mod positions;
mod small_files;
mod sockets;
mod watched;
