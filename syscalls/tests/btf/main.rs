//! BTF: what is read, what is refused, and that no bytes make the reader panic.

mod blob;
mod ext;
mod hostile;
mod refused;
mod split;
mod types;
mod vmlinux;
