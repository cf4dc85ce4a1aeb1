//! An index that stands for a ring belongs to one thread, and to no later one.

use annulus_ring::Ring;
use annulus_syscalls::arch::thread_pointer;

use super::{push_nop, small};

#[test]
fn an_index_means_nothing_to_a_thread_that_took_the_place_of_the_one_that_had_it() {
    let mut reused = 0;
    for _ in 0..50 {
        // 1. A thread registers a ring, gives it away, and ends.
        let first = std::thread::spawn(|| {
            let mut ring = Ring::new(&small()).expect("a ring");
            ring.register_ring_fd().expect("registered");
            (ring, thread_pointer())
        });
        let (mut ring, place) = first.join().expect("a ring");
        // 2. Another one, often at the same place in memory, has a ring of its own under the same
        //    index. What it submits to the first goes to the first.
        let second = std::thread::spawn(move || {
            let mut own = Ring::new(&small()).expect("a ring");
            own.register_ring_fd().expect("registered");
            push_nop(&mut own, 1);
            push_nop(&mut ring, 2);
            assert_eq!(ring.submit(), Ok(1));
            assert_eq!(own.cq_ready(), 0);
            assert_eq!(ring.pop().expect("completed").user_data(), 2);
            thread_pointer()
        });
        reused += u32::from(second.join().expect("it works") == place);
    }
    assert!(reused > 0, "no thread took another's place");
}
