//! The queues over memory that no kernel knows: the tests play its part, at any position of the
//! 32-bit indices.

mod batch;
mod mixed;
mod plain;

use annulus_syscalls::io_uring::{
    io_cqring_offsets, io_sqring_offsets, io_uring_cqe, io_uring_params,
};
use core::sync::atomic::Ordering;
use proptest::prelude::any;

use super::word::Word;
use crate::Sqe;
use crate::fork::Origin;
use crate::map::Map;

const ENTRIES: u32 = 4;
const HEAD: u32 = 0;
const TAIL: u32 = 4;
const FLAGS: u32 = 8;
const LOST: u32 = 12;
const ARRAY_OR_CQES: u32 = 64;

/// A ring's memory, and its two words as the kernel sees them.
struct Fake {
    rings: Map,
    slots: Map,
    params: io_uring_params,
    head: Word,
    tail: Word,
}

impl Fake {
    fn starting_at(start: u32) -> Fake {
        Fake::of(ENTRIES, start)
    }

    fn of(entries: u32, start: u32) -> Fake {
        let origin = Origin::current().expect("a word");
        let rings = Map::anonymous(4096, origin).expect("memory");
        let slots = Map::anonymous(4096, origin).expect("memory");
        // SAFETY: the words are dropped with the maps, and not used after.
        let [head, tail] = [HEAD, TAIL].map(|at| unsafe { Word::new(&rings, at) });
        head.store(start, Ordering::Relaxed);
        tail.store(start, Ordering::Relaxed);
        let params = io_uring_params {
            sq_entries: entries,
            cq_entries: entries,
            sq_off: io_sqring_offsets {
                head: HEAD,
                tail: TAIL,
                flags: FLAGS,
                dropped: LOST,
                array: ARRAY_OR_CQES,
                ..io_sqring_offsets::default()
            },
            cq_off: io_cqring_offsets {
                head: HEAD,
                tail: TAIL,
                overflow: LOST,
                cqes: ARRAY_OR_CQES,
                ..io_cqring_offsets::default()
            },
            ..io_uring_params::default()
        };
        Fake {
            rings,
            slots,
            params,
            head,
            tail,
        }
    }

    /// The user data of the SQE that the kernel would consume at `index`, through the array.
    fn sqe_at(&self, index: u32) -> u64 {
        let array = self
            .rings
            .at::<u32>(ARRAY_OR_CQES as usize, ENTRIES as usize);
        // SAFETY: the index is masked, and the array has as many entries.
        let place = unsafe { array.add((index % ENTRIES) as usize) };
        // SAFETY: written when the queue was made.
        let slot = unsafe { place.read() };
        let slots = self.slots.at::<Sqe>(0, ENTRIES as usize);
        // SAFETY: entries of the array are below the number of slots.
        let sqe = unsafe { slots.add(slot as usize) };
        // SAFETY: published, so nobody writes there.
        unsafe { sqe.as_ref() }.user_data()
    }

    /// Posts a CQE as the kernel does.
    fn post(&self, user_data: u64) {
        let tail = self.tail.load(Ordering::Relaxed);
        let cqes = self
            .rings
            .at::<io_uring_cqe>(ARRAY_OR_CQES as usize, ENTRIES as usize);
        // SAFETY: the index is masked, and there are as many CQEs.
        let place = unsafe { cqes.add((tail % ENTRIES) as usize) };
        let cqe = io_uring_cqe {
            user_data,
            ..io_uring_cqe::default()
        };
        // SAFETY: free, as `head` has passed it.
        unsafe { place.write(cqe) };
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
    }
}

/// Starts around the wrap half the time, and anywhere else.
fn start() -> impl proptest::strategy::Strategy<Value = u32> {
    use proptest::strategy::Strategy;
    let around_the_wrap = (-20_i32..20).prop_map(|at| at as u32);
    proptest::prop_oneof![around_the_wrap, any::<u32>()]
}
