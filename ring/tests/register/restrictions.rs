//! Rings that may do only what they were allowed, and filters on submissions.

use std::thread;

use annulus_ring::{
    BpfFilter, BpfInstruction, Errno, FileTable, Opcode, Restriction, Ring, RingConfig, SqeFlags,
};
use annulus_syscalls::io_uring::register::op::{IORING_REGISTER_FILES2, IORING_UNREGISTER_FILES};

use super::{next, queue, ring, ring_of, run, skip_newer};

fn disabled_ring() -> Ring {
    ring_of(RingConfig {
        disabled: true,
        ..RingConfig::default()
    })
}

/// An enabled ring that may do only this.
fn restricted(restrictions: &[Restriction]) -> Ring {
    let mut ring = disabled_ring();
    ring.restrict(restrictions).expect("restricted");
    ring.enable().expect("enabled");
    ring
}

fn nop(ring: &mut Ring, flags: SqeFlags) -> Result<u32, Errno> {
    let cqe = run(ring, |sqe| {
        sqe.prep_nop().set_flags(flags);
    });
    cqe.result()
}

fn fsync(ring: &mut Ring) -> Result<u32, Errno> {
    let cqe = run(ring, |sqe| {
        sqe.prep_fsync(-1, 0);
    });
    cqe.result()
}

#[test]
fn only_the_operations_that_are_allowed_run() {
    let mut ring = restricted(&[Restriction::Op(Opcode::NOP)]);
    assert_eq!(nop(&mut ring, SqeFlags::NONE), Ok(0));
    assert_eq!(fsync(&mut ring), Err(Errno::EACCES));
    // Without an entry for flags none is allowed.
    assert_eq!(nop(&mut ring, SqeFlags::ASYNC), Err(Errno::EACCES));
    let mut open = ring_of(RingConfig::default());
    assert_eq!(fsync(&mut open), Err(Errno::EBADF), "it would run");
}

#[test]
fn only_the_registrations_that_are_allowed_are_made() {
    let allowed = [IORING_REGISTER_FILES2 as u8, IORING_UNREGISTER_FILES as u8];
    let ring = restricted(&allowed.map(Restriction::Register));
    let mut table = FileTable::sparse(&ring, 2).expect("allowed");
    assert_eq!(table.update(0, &[-1]), Err(Errno::EACCES));
    assert_eq!(ring.register_personality().map(drop), Err(Errno::EACCES));
    assert_eq!(ring.unregister_eventfd(), Err(Errno::EACCES));
    table.unregister().expect("allowed");
}

#[test]
fn flags_are_allowed_and_demanded() {
    let mut ring = restricted(&[
        Restriction::Op(Opcode::NOP),
        Restriction::FlagsAllowed(SqeFlags::ASYNC | SqeFlags::IO_LINK),
        Restriction::FlagsRequired(SqeFlags::IO_DRAIN),
    ]);
    assert_eq!(
        nop(&mut ring, SqeFlags::NONE),
        Err(Errno::EACCES),
        "demanded"
    );
    assert_eq!(nop(&mut ring, SqeFlags::ASYNC), Err(Errno::EACCES));
    assert_eq!(nop(&mut ring, SqeFlags::IO_DRAIN), Ok(0));
    assert_eq!(nop(&mut ring, SqeFlags::IO_DRAIN | SqeFlags::ASYNC), Ok(0));
    let hard = SqeFlags::IO_DRAIN | SqeFlags::IO_HARDLINK;
    assert_eq!(nop(&mut ring, hard), Err(Errno::EACCES), "not allowed");
}

#[test]
fn an_empty_list_allows_nothing() {
    let mut ring = restricted(&[]);
    assert_eq!(nop(&mut ring, SqeFlags::NONE), Err(Errno::EACCES));
    assert_eq!(ring.unregister_eventfd(), Err(Errno::EACCES));
}

#[test]
fn restrictions_come_once_and_before_the_ring_is_enabled() {
    let mut ring = disabled_ring();
    let only_nop = [Restriction::Op(Opcode::NOP)];
    assert_eq!(ring.restrict(&only_nop), Ok(()));
    assert_eq!(ring.restrict(&only_nop), Err(Errno::EBUSY));
    ring.enable().expect("enabled");
    assert_eq!(
        ring.restrict(&only_nop),
        Err(Errno::EACCES),
        "not even that"
    );
    let open = ring_of(RingConfig::default());
    assert_eq!(open.restrict(&only_nop), Err(Errno::EBADFD));
    let mut enabled = disabled_ring();
    enabled.enable().expect("enabled");
    assert_eq!(enabled.restrict(&only_nop), Err(Errno::EBADFD));
}

#[test]
fn restrictions_that_mean_nothing_are_refused_whole() {
    let mut ring = disabled_ring();
    let nonsense = [
        Restriction::Op(Opcode(u8::MAX)),
        Restriction::Register(u8::MAX),
    ];
    for one in nonsense {
        let restrictions = [Restriction::Op(Opcode::NOP), one];
        assert_eq!(ring.restrict(&restrictions), Err(Errno::EINVAL));
    }
    let too_many = [Restriction::Op(Opcode::NOP); 1000];
    assert_eq!(ring.restrict(&too_many), Err(Errno::EINVAL));
    // What was refused left nothing behind.
    ring.enable().expect("enabled");
    assert_eq!(fsync(&mut ring), Err(Errno::EBADF));
}

#[test]
fn a_disabled_ring_registers_but_does_not_submit() {
    let mut ring = disabled_ring();
    let _table = FileTable::sparse(&ring, 1).expect("allowed");
    queue(&mut ring, |sqe| {
        sqe.prep_nop();
    });
    assert_eq!(ring.submit(), Err(Errno::EBADFD));
    ring.enable().expect("enabled");
    assert_eq!(ring.enable(), Err(Errno::EBADFD));
    assert_eq!(next(&mut ring).res(), 0, "what was queued");
}

/// In a thread of its own, as nothing ends what it is restricted to.
fn in_a_thread(test: fn()) {
    thread::spawn(test).join().expect("no panic");
}

#[test]
fn a_threads_restrictions_hold_for_its_new_rings() {
    in_a_thread(|| {
        let mut before = ring();
        if let Err(errno) = Restriction::apply_to_thread(&[Restriction::Op(Opcode::NOP)]) {
            return skip_newer("restrictions of threads", errno);
        }
        let mut after = ring();
        assert_eq!(nop(&mut after, SqeFlags::NONE), Ok(0));
        assert_eq!(fsync(&mut after), Err(Errno::EACCES));
        assert_eq!(fsync(&mut before), Err(Errno::EBADF), "as it was");
        let again = Restriction::apply_to_thread(&[Restriction::Op(Opcode::NOP)]);
        assert_eq!(again, Err(Errno::EPERM));
    });
    // Other threads may do what they could.
    assert_eq!(fsync(&mut ring()), Err(Errno::EBADF));
}

/// Ends the program with `answer`.
fn answer(answer: u32) -> BpfInstruction {
    BpfInstruction {
        code: 0x06, // BPF_RET | BPF_K
        operand: answer,
        ..BpfInstruction::default()
    }
}

#[test]
fn a_filter_refuses_what_its_program_answers_0_to() {
    in_a_thread(|| {
        let mut ring = ring();
        // Loads the user data's lower half, and refuses 13.
        let load = BpfInstruction {
            code: 0x20, // BPF_LD | BPF_W | BPF_ABS
            operand: if cfg!(target_endian = "big") { 4 } else { 0 },
            ..BpfInstruction::default()
        };
        let is_13 = BpfInstruction {
            code: 0x15, // BPF_JMP | BPF_JEQ | BPF_K
            jump_true: 0,
            jump_false: 1,
            operand: 13,
        };
        let no_13 = BpfFilter {
            opcode: Opcode::NOP,
            program: &[load, is_13, answer(0), answer(1)],
            args_bytes: 0,
            args_bytes_strict: false,
            deny_rest: true,
        };
        if let Err(errno) = no_13.apply_to_ring(&ring) {
            return skip_newer("filters on submissions", errno);
        }
        let mut numbered = |user_data| {
            let cqe = run(&mut ring, |sqe| {
                sqe.prep_nop().set_user_data(user_data);
            });
            cqe.result()
        };
        assert_eq!(numbered(12), Ok(0));
        assert_eq!(numbered(13), Err(Errno::EACCES));
        assert_eq!(fsync(&mut ring), Err(Errno::EACCES), "the rest");
        let too_many = BpfFilter {
            args_bytes: 200,
            ..no_13
        };
        assert_eq!(too_many.apply_to_ring(&ring), Err(Errno::EMSGSIZE));
        let strict = BpfFilter {
            opcode: Opcode::SOCKET,
            args_bytes_strict: true,
            ..no_13
        };
        assert_eq!(strict.apply_to_ring(&ring), Err(Errno::EMSGSIZE));
        let nothing = BpfFilter {
            program: &[],
            ..no_13
        };
        assert_eq!(nothing.apply_to_ring(&ring), Err(Errno::EINVAL));
    });
}

#[test]
fn a_threads_filter_holds_for_its_new_rings() {
    in_a_thread(|| {
        let no_nop = BpfFilter {
            opcode: Opcode::NOP,
            program: &[answer(0)],
            args_bytes: 0,
            args_bytes_strict: true,
            deny_rest: false,
        };
        let mut before = ring();
        if let Err(errno) = no_nop.apply_to_thread() {
            return skip_newer("filters on submissions", errno);
        }
        let mut after = ring();
        assert_eq!(nop(&mut before, SqeFlags::NONE), Ok(0));
        assert_eq!(nop(&mut after, SqeFlags::NONE), Err(Errno::EACCES));
        assert_eq!(
            fsync(&mut after),
            Err(Errno::EBADF),
            "only a NOP is refused"
        );
    });
}
