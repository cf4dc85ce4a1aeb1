//! Registrations: what a ring is told once, to be used by many operations, or for its whole life.
//!
//! ```text
//!   FileTable, FileSlot            files by index instead of descriptor
//!   BufferTable                    pinned memory by index
//!   BufferPool, FixedBuf, LentBuf  the same, owning its memory
//! ```
//!
//! A table that is dropped is unregistered. What an operation under way uses, a file or pinned
//! pages, the kernel keeps until that operation is done, whatever becomes of its slot.

mod buffer_pool;
mod buffer_table;
mod file_slot;
mod file_table;
mod slots;

pub use buffer_pool::{BufferPool, FixedBuf, LentBuf};
pub use buffer_table::{BufferSpan, BufferTable, CloneSource};
pub use file_slot::FileSlot;
pub use file_table::{FileTable, SKIP_SLOT};
