//! The two queues in the memory that is shared with the kernel.
//!
//! ```text
//!                 head                    tail
//!   SQ   ..........|=======================|........   we move tail, the kernel head
//!   CQ   ..........|=======================|........   the kernel moves tail, we head
//! ```
//!
//! Each side publishes its own index with Release after it has filled (or copied out) the slots,
//! and reads the other's with Acquire before it touches them. What we have filled or copied out
//! and not yet published is counted by a local cursor.

mod cq;
mod sq;
#[cfg(all(test, feature = "std"))]
mod tests;
mod word;

pub(crate) use cq::CompletionQueue;
pub(crate) use sq::SubmissionQueue;
#[cfg(feature = "std")]
pub(crate) use word::Word;
