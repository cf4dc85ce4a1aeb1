//! `Query`: what the running kernel knows, asked without a ring.

use annulus_syscalls::io_uring::register::flags::{
    IO_URING_QUERY_OPCODES, IO_URING_QUERY_SCQ, IO_URING_QUERY_ZCRX,
};
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_QUERY;
use annulus_syscalls::io_uring::register::{
    io_uring_query_hdr, io_uring_query_opcode, io_uring_query_scq, io_uring_query_zcrx,
};
use annulus_syscalls::{Errno, calls};

/// Questions to the kernel. Each answer is the kernel's own, whatever a
/// [`Mask`](crate::Mask) hides.
///
/// ```
/// use annulus_ring::Query;
///
/// match Query::opcodes() {
///     Ok(known) => assert!(known.nr_request_opcodes >= 63),
///     Err(_) => {} // older than 6.18
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query;

impl Query {
    /// How many opcodes there are, and which flags are known.
    ///
    /// # Errors
    /// EINVAL before 6.18, ENOSYS or EPERM where io_uring is refused.
    ///
    /// # Kernel
    /// Since 6.18.
    pub fn opcodes() -> Result<io_uring_query_opcode, Errno> {
        ask(IO_URING_QUERY_OPCODES)
    }

    /// What zero-copy receive can do.
    ///
    /// # Errors
    /// EINVAL before 6.18, EOPNOTSUPP before 6.19; ENOSYS or EPERM where io_uring is refused.
    ///
    /// # Kernel
    /// Since 6.19.
    pub fn zcrx() -> Result<io_uring_query_zcrx, Errno> {
        ask(IO_URING_QUERY_ZCRX)
    }

    /// How the header of the two queues is laid out.
    ///
    /// # Errors
    /// As [`zcrx`](Query::zcrx).
    ///
    /// # Kernel
    /// Since 6.19.
    pub fn queues() -> Result<io_uring_query_scq, Errno> {
        ask(IO_URING_QUERY_SCQ)
    }
}

/// An answer: a struct of the ABI, any bytes of which are a value.
trait Answer: Copy + Default {}
impl Answer for io_uring_query_opcode {}
impl Answer for io_uring_query_zcrx {}
impl Answer for io_uring_query_scq {}

/// Asks one question. A kernel that knows less of the answer leaves the rest zero.
fn ask<A: Answer>(question: u32) -> Result<A, Errno> {
    let mut answer = A::default();
    let mut header = io_uring_query_hdr {
        query_data: (&raw mut answer).expose_provenance() as u64,
        query_op: question,
        size: size_of::<A>() as u32,
        ..io_uring_query_hdr::default()
    };
    let arg = (&raw mut header).expose_provenance();
    // SAFETY: `arg` is a header without a next one, whose answer has room for `size` bytes of
    // which any are a value; -1 stands for no ring.
    unsafe { calls::io_uring_register(-1, IORING_REGISTER_QUERY, arg, 0) }?;
    if header.result < 0 {
        return Err(Errno::from_raw(header.result.wrapping_neg()));
    }
    Ok(answer)
}
