//! What the kernel says about itself, and whether its answers agree.

use annulus_ring::{Errno, Mask, Opcode, Probe, Query, RingConfig, Version};

use super::{ring, ring_of, skip_newer};

#[test]
fn the_query_agrees_with_the_probe_and_with_setup() {
    let ring = ring();
    let probe = Probe::of(&ring).expect("a probe");
    let known = match Query::opcodes() {
        Ok(known) => known,
        Err(errno) => return skip_newer("queries", errno),
    };
    println!("{known:x?}");
    let opcodes = known.nr_request_opcodes;
    assert!(opcodes > 60 && known.nr_register_opcodes > 35);
    for number in 0..=u8::MAX {
        // An operation may be left out of a kernel, but none is beyond the number.
        let supported = probe.supports(Opcode(number));
        assert!(
            !supported || u32::from(number) < opcodes,
            "{:?}",
            Opcode(number)
        );
    }
    let features = u64::from(ring.features());
    assert_eq!(features & !known.feature_flags, 0);
    let setup = u64::from(ring.setup_flags());
    assert_eq!(setup & !known.ring_setup_flags, 0);
    assert_eq!(known.sqe_flags & 0x7f, 0x7f, "all seven");
    assert!(known.nr_query_opcodes >= 1);
}

#[test]
fn newer_questions_are_answered_or_refused() {
    match Query::zcrx() {
        Ok(zcrx) => assert!(zcrx.rq_hdr_size > 0),
        Err(errno) => {
            assert!(
                [Errno::EINVAL, Errno::EOPNOTSUPP].contains(&errno),
                "{errno:?}"
            );
            skip_newer("query about zero-copy receive", errno);
        }
    }
    match Query::queues() {
        Ok(queues) => assert!(queues.hdr_size > 0 && queues.hdr_alignment > 0),
        Err(errno) => {
            assert!(
                [Errno::EINVAL, Errno::EOPNOTSUPP].contains(&errno),
                "{errno:?}"
            );
            skip_newer("query about the queues", errno);
        }
    }
}

#[test]
fn the_probe_knows_a_version_and_what_is_hidden() {
    let ring = ring();
    let probe = Probe::of(&ring).expect("a probe");
    assert!(probe.version().at_least(Version::OLDEST));
    assert!(probe.supports(Opcode::NOP) && probe.supports(Opcode::SOCKET));
    assert!(!probe.supports(Opcode(u8::MAX)));
    assert_eq!(probe.features(), ring.features());
    let old = ring_of(RingConfig {
        mask: Mask::V5_19,
        ..RingConfig::default()
    });
    let probe = Probe::of(&old).expect("a probe");
    assert_eq!(probe.version(), Version::OLDEST);
    assert!(!probe.supports(Opcode::SEND_ZC));
}
