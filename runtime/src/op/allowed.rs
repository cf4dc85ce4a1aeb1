//! What the rings of this build have to be allowed: under `Builder::restrict` they are allowed no
//! more.
//!
//! An operation says its opcode itself ([`Op::CODE`]); a debug build checks every SQE against
//! this, restricted or not, so nothing can be forgotten here unnoticed.
#![forbid(unsafe_code)]

use annulus_ring::{Errno, Kernel, Opcode, Restriction, Ring, Sqe, SqeFlags};

use super::Op;
use super::accept_multishot::AcceptMultishot;
use super::connect::Connect;
use super::fsync::Fsync;
use super::link_at::LinkAt;
use super::mkdir_at::MkdirAt;
use super::open_at::OpenAt;
use super::poll_add::PollAdd;
use super::read::Read;
use super::recv::Recv;
use super::recv_select::RecvSelect;
use super::rename_at::RenameAt;
use super::send::Send;
use super::send_zc::SendZc;
use super::symlink_at::SymlinkAt;
use super::unlink_at::UnlinkAt;
use super::write::Write;
use super::write_all::WriteAll;
use crate::reactor::SYNC_CANCEL_SINCE;

/// Opcodes, some of them twice.
const OPCODES: [Opcode; 19] = [
    AcceptMultishot::CODE,
    Connect::CODE,
    Fsync::CODE,
    LinkAt::CODE,
    MkdirAt::CODE,
    OpenAt::CODE,
    PollAdd::CODE,
    Read::<Vec<u8>>::CODE,
    Recv::<Vec<u8>>::CODE,
    RecvSelect::CODE,
    RenameAt::CODE,
    Send::<Vec<u8>>::CODE,
    SendZc::<Vec<u8>>::CODE,
    SymlinkAt::CODE,
    UnlinkAt::CODE,
    Write::<Vec<u8>>::CODE,
    WriteAll::CODE,
    // What the table does by itself.
    Opcode::ASYNC_CANCEL,
    Opcode::CLOSE,
];

/// Of the SQEs of all these.
const FLAGS: [SqeFlags; 2] = [SqeFlags::BUFFER_SELECT, SqeFlags::CQE_SKIP_SUCCESS];

fn flags() -> SqeFlags {
    let together = |all, flag| all | flag;
    FLAGS.into_iter().fold(SqeFlags::NONE, together)
}

/// Lets a ring that was made disabled do what this build does and nothing else, for good, and
/// enables it.
pub(crate) fn confine(ring: &mut Ring, kernel: &Kernel) -> Result<(), Errno> {
    // A kernel refuses numbers that it does not know.
    let known = OPCODES.into_iter().filter(|code| kernel.supports(*code));
    let mut restrictions: Vec<Restriction> = known.map(Restriction::Op).collect();
    restrictions.extend(Restriction::RING_FD);
    restrictions.extend(Restriction::BUF_RING);
    if kernel.version() >= SYNC_CANCEL_SINCE {
        restrictions.push(Restriction::SYNC_CANCEL);
    }
    restrictions.push(Restriction::FlagsAllowed(flags()));
    ring.restrict(&restrictions)?;
    ring.enable()
}

/// Whether a restricted ring would take it.
pub(super) fn allows(sqe: &Sqe) -> bool {
    // The tests of the table have an operation of their own.
    let of_tests = cfg!(test) && sqe.opcode() == Opcode::NOP;
    (OPCODES.contains(&sqe.opcode()) || of_tests) && flags().contains(sqe.flags())
}

#[cfg(test)]
mod tests {
    use super::*;
    use annulus_ring::{Mask, Probe, RingConfig};

    #[test]
    fn a_confined_ring_refuses_an_opcode_a_flag_and_a_registration_that_nobody_here_uses() {
        let config = RingConfig {
            disabled: true,
            ..RingConfig::default()
        };
        let Ok(kernel) = Kernel::uring(Mask::NONE) else {
            return eprintln!("skipped: io_uring is not to be had here");
        };
        let mut ring = kernel.open(&config).expect("there was one");
        confine(&mut ring, &kernel).expect("the kernel knows all of it");
        let mut result = |fill: &dyn Fn(&mut Sqe)| {
            fill(ring.get_sqe().expect("there is room"));
            ring.submit_and_wait(1).expect("it is enabled");
            ring.pop().expect("it was waited for").result()
        };
        // 1. Operations that are not used are refused.
        let unlisted: [&dyn Fn(&mut Sqe); 4] = [
            &|sqe| _ = sqe.prep_nop(),
            &|sqe| _ = sqe.prep_shutdown(-1, 0),
            &|sqe| _ = sqe.prep_msg_ring(-1, 0, 0, 0),
            &|sqe| _ = sqe.prep_socket(0, 0, 0),
        ];
        for fill in unlisted {
            assert_eq!(result(fill), Err(Errno::EACCES));
        }
        // 2. So is a flag, with an operation that is allowed.
        let flagged = |sqe: &mut Sqe| {
            sqe.prep_cancel64(1, 0);
            sqe.set_flags(SqeFlags::ASYNC);
        };
        assert_eq!(result(&flagged), Err(Errno::EACCES));
        let plain = |sqe: &mut Sqe| {
            sqe.prep_cancel64(1, 0);
        };
        assert_eq!(result(&plain), Err(Errno::ENOENT));
        // 3. And a registration; what is used goes.
        ring.enable().expect_err("it is enabled, for good");
        ring.register_ring_fd().expect("the core does it");
        assert_eq!(Probe::of(&ring).map(drop), Err(Errno::EACCES));
    }

    #[test]
    fn every_file_of_an_operation_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/op");
        let mine = include_str!("allowed.rs");
        let mut operations = 0;
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("it lists itself").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let name = path.file_stem().expect("it has a name").to_string_lossy();
            if name != "tests" && text.contains("\n    const CODE: Opcode = ") {
                assert!(mine.contains(&format!("use super::{name}::")), "{name}");
                operations += 1;
            }
        }
        // The others are what the table does by itself.
        assert_eq!(operations + 2, OPCODES.len());
    }
}
