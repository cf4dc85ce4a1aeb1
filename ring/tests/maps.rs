//! What a ring maps is what it unmaps: nothing less, and nothing of its neighbours.
//!
//! The only test of this file, as it reads the mappings of the whole process.

use std::fs;

use annulus_ring::{BufRing, Ring, RingConfig};

/// The mappings of this process: start, end, and the rest of the line.
fn mappings() -> Vec<(usize, usize, String)> {
    let text = fs::read_to_string("/proc/self/maps").expect("our own maps");
    text.lines()
        .map(|line| {
            let (range, rest) = line.split_once(' ').expect("a range");
            let (start, end) = range.split_once('-').expect("two ends");
            let parse = |hex| usize::from_str_radix(hex, 16).expect("hexadecimal");
            (parse(start), parse(end), rest.to_owned())
        })
        .collect()
}

fn ring_bytes() -> Vec<usize> {
    mappings()
        .into_iter()
        .filter(|(_, _, rest)| rest.contains("[io_uring]"))
        .map(|(start, end, _)| end - start)
        .collect()
}

fn is_mapped(address: usize) -> bool {
    mappings()
        .iter()
        .any(|(start, end, _)| (*start..*end).contains(&address))
}

#[test]
fn a_dropped_ring_leaves_no_mapping_and_takes_no_neighbour_along() {
    assert!(ring_bytes().is_empty());
    for sq_entries in [1, 8, 256, 4096] {
        let config = RingConfig {
            sq_entries,
            ..RingConfig::default()
        };
        let ring = Ring::new(&config).expect("a ring");
        let neighbour = Ring::new(&config).expect("a neighbour");
        let page = 4096_usize;
        let slots = (sq_entries as usize * 64).next_multiple_of(page);
        assert_eq!(ring_bytes().iter().sum::<usize>() % page, 0);
        assert!(
            ring_bytes().iter().any(|bytes| bytes % slots == 0),
            "the SQEs"
        );
        let both: usize = ring_bytes().iter().sum();
        drop(ring);
        assert_eq!(
            ring_bytes().iter().sum::<usize>(),
            both / 2,
            "one of two alike"
        );
        drop(neighbour);
        assert!(ring_bytes().is_empty());
    }

    let ring = Ring::new(&RingConfig::default()).expect("a ring");
    let buffers = BufRing::new(&ring, 0, 8, 4096).expect("buffers");
    let memory = buffers.memory().clone();
    let (first, last) = (
        memory.start(0).addr().get(),
        memory.start(7).addr().get() + 4095,
    );
    drop(buffers);
    assert!(
        is_mapped(first) && is_mapped(last),
        "somebody may still read"
    );
    drop(memory);
    assert!(!is_mapped(first) && !is_mapped(last));
}
