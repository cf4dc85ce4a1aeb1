//! Rings in memory that the caller brings, and rings without a descriptor.

use std::ptr::NonNull;

use annulus_ring::{Cqe32, Errno, Mask, Probe, Ring, RingConfig, RingMemory, Sqe128};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::{io_uring_params, setup};

use super::{nop_works, push_nop, skip, small};

const HUGE_PAGE_BYTES: usize = 2 << 20;

fn memory_for(config: &RingConfig) -> RingMemory {
    let size_bytes = RingMemory::bytes_for(config).expect("valid numbers");
    RingMemory::new(size_bytes).expect("memory")
}

fn on_memory(config: &RingConfig) -> Result<Ring, Errno> {
    Ring::on_memory(config, memory_for(config))
}

/// A ring that only this thread can name.
fn without_fd() -> Ring {
    let config = RingConfig {
        registered_fd_only: true,
        ..small()
    };
    on_memory(&config).expect("a ring")
}

#[test]
fn a_ring_lives_in_the_memory_it_is_given() {
    for (sq_entries, cq_entries) in [(1, 0), (8, 0), (128, 4096), (1024, 0)] {
        let config = RingConfig {
            sq_entries,
            cq_entries,
            ..small()
        };
        let mut ring = on_memory(&config).expect("a ring");
        assert_ne!(ring.setup_flags() & setup::IORING_SETUP_NO_MMAP, 0);
        for _ in 0..3 * sq_entries {
            nop_works(&mut ring);
        }
    }
}

#[test]
fn a_full_round_of_a_ring_on_memory_wraps_and_overflows_like_any_other() {
    let config = RingConfig {
        cq_entries: 8,
        no_sqarray: true,
        ..small()
    };
    let mut ring = on_memory(&config).expect("a ring");
    let mut seen = 0;
    for user_data in 0..32 {
        push_nop(&mut ring, user_data);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    while seen < 32 {
        ring.enter(1, None).expect("the rest is brought");
        while let Some(cqe) = ring.pop() {
            assert_eq!(cqe.user_data(), seen);
            seen += 1;
        }
    }
    assert_eq!((ring.cq_lost(), ring.sq_dropped()), (0, 0));
}

#[test]
fn memory_that_was_used_before_is_cleared_for_the_ring() {
    let config = small();
    let size_bytes = RingMemory::bytes_for(&config).expect("valid numbers");
    let layout = std::alloc::Layout::from_size_align(size_bytes, 4096).expect("a layout");
    // SAFETY: the layout has a size.
    let start = NonNull::new(unsafe { std::alloc::alloc(layout) }).expect("memory");
    // SAFETY: as many bytes were allocated.
    unsafe { start.write_bytes(0xff, size_bytes) };
    // SAFETY: nobody else has it, and it is leaked.
    let memory = unsafe { RingMemory::from_raw(start, size_bytes) }.expect("page-aligned");
    assert_eq!(memory.size_bytes(), size_bytes);
    let mut ring = Ring::on_memory(&config, memory).expect("a ring");
    nop_works(&mut ring);
}

#[test]
fn memory_that_does_not_begin_on_a_page_is_refused() {
    let inside = NonNull::<u64>::dangling().cast();
    // SAFETY: it is refused, so nothing is done with it.
    let refused = unsafe { RingMemory::from_raw(inside, 1 << 20) };
    assert_eq!(refused.map(drop), Err(Errno::EINVAL));
}

#[test]
fn too_little_memory_is_refused_before_the_kernel_could_write_beyond_it() {
    let config = RingConfig {
        sq_entries: 1024,
        ..small()
    };
    let enough = RingMemory::bytes_for(&config).expect("valid numbers");
    let short = RingMemory::new(enough - 4096).expect("memory");
    assert_eq!(
        Ring::on_memory(&config, short).map(drop),
        Err(Errno::ENOMEM)
    );
    let wide = RingMemory::bytes_for_entries::<Sqe128, Cqe32>(&config).expect("valid numbers");
    assert!(wide > enough);
    let short = memory_for(&config);
    let made = Ring::<Sqe128, Cqe32>::with_entries_on(&config, short);
    assert_eq!(made.map(drop), Err(Errno::ENOMEM));
}

#[test]
fn sizes_of_memory_are_rounded_up_and_nothing_is_refused() {
    let memory = RingMemory::new(1).expect("memory");
    assert!(memory.size_bytes() >= 4096);
    assert_eq!(RingMemory::new(0).map(drop), Err(Errno::EINVAL));
    assert_eq!(RingMemory::new(usize::MAX).map(drop), Err(Errno::EINVAL));
    assert_eq!(RingMemory::huge(1, 3).map(drop), Err(Errno::EINVAL));
    let none = RingConfig {
        sq_entries: 0,
        ..small()
    };
    assert_eq!(RingMemory::bytes_for(&none), Err(Errno::EINVAL));
}

#[test]
fn wide_entries_live_in_memory_of_ours_too() {
    let config = small();
    let size_bytes = RingMemory::bytes_for_entries::<Sqe128, Cqe32>(&config).expect("valid");
    let memory = RingMemory::new(size_bytes).expect("memory");
    let made = Ring::<Sqe128, Cqe32>::with_entries_on(&config, memory);
    let mut ring = made.expect("a ring");
    for _ in 0..40 {
        nop_works(&mut ring);
    }
}

#[test]
fn the_queues_fit_in_one_huge_page() {
    let config = RingConfig {
        sq_entries: 1024,
        ..small()
    };
    let size_bytes = RingMemory::bytes_for(&config).expect("valid numbers");
    let memory = match RingMemory::huge(size_bytes, HUGE_PAGE_BYTES) {
        Ok(memory) => memory,
        Err(Errno::ENOMEM) => return skip("the system has no free huge page"),
        Err(errno) => panic!("{errno}"),
    };
    assert_eq!(memory.size_bytes(), HUGE_PAGE_BYTES);
    let mut ring = Ring::on_memory(&config, memory).expect("a ring");
    nop_works(&mut ring);
}

#[test]
fn on_a_kernel_that_lacks_it_memory_of_ours_is_refused_and_not_mapped_instead() {
    let config = RingConfig {
        mask: Mask::V6_1,
        ..small()
    };
    assert_eq!(on_memory(&config).map(drop), Err(Errno::EINVAL));
}

#[test]
fn a_ring_without_a_descriptor_works_in_the_thread_that_made_it() {
    let mut ring = without_fd();
    assert_eq!(ring.fd(), -1);
    assert!(ring.is_ring_fd_registered());
    for _ in 0..20 {
        nop_works(&mut ring);
    }
    // Registrations go by the index too.
    let probe = Probe::of(&ring).expect("probed");
    assert!(probe.supports(annulus_ring::Opcode::NOP));
    assert_eq!(ring.register_ring_fd(), Err(Errno::EEXIST));
    assert_eq!(ring.unregister_ring_fd(), Err(Errno::EINVAL));
    nop_works(&mut ring);
}

#[test]
fn a_ring_without_a_descriptor_can_start_disabled() {
    let config = RingConfig {
        registered_fd_only: true,
        disabled: true,
        pinned: true,
        ..small()
    };
    let mut ring = on_memory(&config).expect("a ring");
    assert_eq!(ring.submit(), Err(Errno::EBADFD));
    ring.enable().expect("enabled");
    nop_works(&mut ring);
}

#[test]
fn another_thread_cannot_name_a_ring_without_a_descriptor() {
    let mut ring = without_fd();
    let other = ring.ring_ref();
    std::thread::spawn(move || {
        assert_eq!(other.fd(), -1);
        assert_eq!(other.sync_cancel(1, None), Err(Errno::EBADF));
        assert_eq!(other.send_msg_ring(1, 2), Err(Errno::EBADF));
    })
    .join()
    .expect("refused");
    nop_works(&mut ring);
    std::thread::spawn(move || {
        push_nop(&mut ring, 1);
        assert_eq!(ring.submit_and_wait(1), Err(Errno::EBADF));
        assert_eq!(Probe::of(&ring).map(drop), Err(Errno::EBADF));
    })
    .join()
    .expect("refused");
}

#[test]
fn a_ring_without_a_descriptor_gives_its_index_back_when_it_is_dropped() {
    // A thread has 16 of them, so 100 rings after each other need each one back.
    for _ in 0..100 {
        nop_works(&mut without_fd());
    }
    let rings = [(); 16].map(|()| without_fd());
    let config = RingConfig {
        registered_fd_only: true,
        ..small()
    };
    assert_eq!(on_memory(&config).map(drop), Err(Errno::EBUSY));
    drop(rings);
    nop_works(&mut without_fd());
}

#[test]
fn many_rings_on_memory_live_beside_each_other() {
    let mut rings = [(); 32].map(|()| on_memory(&small()).expect("a ring"));
    for (number, ring) in (0..).zip(&mut rings) {
        push_nop(ring, number);
    }
    for (number, ring) in (0..).zip(&mut rings) {
        ring.submit_and_wait(1).expect("submitted");
        assert_eq!(ring.pop().expect("waited for").user_data(), number);
    }
}

/// What the kernel says about the mapping that holds `address`.
fn flags_of_mapping(address: u64) -> String {
    let text = std::fs::read_to_string("/proc/self/smaps").expect("proc is there");
    let mut is_inside = false;
    for line in text.lines() {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let number = |digits| u64::from_str_radix(digits, 16);
        if let Some((Ok(start), Ok(end))) = range.map(|(from, to)| (number(from), number(to))) {
            is_inside = (start..end).contains(&address);
        }
        if let (true, Some(flags)) = (is_inside, line.strip_prefix("VmFlags:")) {
            return flags.to_owned();
        }
    }
    panic!("nothing is mapped at {address:#x}");
}

#[test]
fn memory_of_a_ring_is_not_for_forked_children() {
    let ring = on_memory(&small()).expect("a ring");
    let (queues, sqes) = (ring.params().cq_off, ring.params().sq_off);
    for address in [queues.user_addr, sqes.user_addr] {
        let flags = flags_of_mapping(address);
        assert!(flags.split(' ').any(|flag| flag == "dc"), "{flags}");
    }
}

#[test]
fn addresses_that_are_no_memory_are_refused() {
    let asked = |queues: u64, sqes: u64| {
        let mut params = io_uring_params {
            flags: setup::IORING_SETUP_NO_MMAP,
            ..io_uring_params::default()
        };
        params.cq_off.user_addr = queues;
        params.sq_off.user_addr = sqes;
        // SAFETY: what is memory is leaked, and there will be no ring.
        unsafe { calls::io_uring_setup(8, &mut params) }
    };
    // The kernel may write to the one that is memory before it refuses the other.
    let layout = std::alloc::Layout::from_size_align(1 << 16, 4096).expect("a layout");
    // SAFETY: the layout has a size.
    let page = unsafe { std::alloc::alloc_zeroed(layout) }.expose_provenance() as u64;
    let (null, unaligned, nowhere) = (0, page + 8, 1 << 63);
    for (queues, sqes) in [(null, null), (page, null), (page, nowhere), (nowhere, page)] {
        assert_eq!(
            asked(queues, sqes),
            Err(Errno::EFAULT),
            "{queues:#x} {sqes:#x}"
        );
    }
    for (queues, sqes) in [(unaligned, page), (page, unaligned)] {
        assert_eq!(
            asked(queues, sqes),
            Err(Errno::EINVAL),
            "{queues:#x} {sqes:#x}"
        );
    }
}

#[test]
fn all_modes_that_go_together_go_together() {
    for pinned in [false, true] {
        for sqpoll_idle_ms in [None, Some(1)] {
            for (iopoll, registered_fd_only) in [(false, true), (true, false), (true, true)] {
                let config = RingConfig {
                    pinned,
                    sqpoll_idle_ms,
                    iopoll,
                    registered_fd_only,
                    disabled: true,
                    no_sqarray: true,
                    cq_entries: 32,
                    ..small()
                };
                let size_bytes = RingMemory::bytes_for_entries::<Sqe128, Cqe32>(&config);
                let memory = RingMemory::new(size_bytes.expect("valid")).expect("memory");
                let made = Ring::<Sqe128, Cqe32>::with_entries_on(&config, memory);
                let mut ring = made.expect("a ring");
                assert!(ring.step_downs().is_empty(), "{config:?}");
                ring.enable().expect("enabled");
                for _ in 0..40 {
                    nop_works(&mut ring);
                }
            }
        }
    }
}
