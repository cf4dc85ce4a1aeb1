//! Registrations: what a ring is told once, to be used by many operations, or for its whole life.
//!
//! ```text
//!   FileTable, FileSlot            files by index instead of descriptor
//!   BufferTable                    pinned memory by index
//!   BufferPool, FixedBuf, LentBuf  the same, owning its memory
//!   Personality                    credentials by number
//!   Restriction, BpfFilter         what may be submitted and registered at all
//!   Message, CancelMatch           calls that need no entry of a queue
//!   Query                          what the kernel knows
//! ```
//!
//! Eventfds, workers, network polling and zero-copy receive are methods of [`Ring`](crate::Ring).
//!
//! A table that is dropped is unregistered. What an operation under way uses, a file or pinned
//! pages, the kernel keeps until that operation is done, whatever becomes of its slot.

mod bpf_filter;
mod buffer_pool;
mod buffer_table;
mod cancel_match;
mod eventfd;
mod file_slot;
mod file_table;
mod message;
mod napi;
mod personality;
mod query;
mod restriction;
mod slots;
mod workers;
mod zcrx;

pub use bpf_filter::{BpfFilter, BpfInstruction};
pub use buffer_pool::{BufferPool, FixedBuf, LentBuf};
pub use buffer_table::{BufferSpan, BufferTable, CloneSource};
pub use cancel_match::CancelMatch;
pub use file_slot::FileSlot;
pub use file_table::{FileTable, SKIP_SLOT};
pub use message::Message;
pub use napi::{Napi, NapiTracking};
pub use personality::Personality;
pub use query::Query;
pub use restriction::Restriction;
pub use workers::WorkersMax;
