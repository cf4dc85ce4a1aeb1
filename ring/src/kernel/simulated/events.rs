//! What is still to happen, in the order of its time.

use std::collections::BTreeMap;

/// Things that will happen at a time, in nanoseconds of the simulated clock. Of those at the same
/// time the one that was put in first happens first.
#[derive(Debug)]
pub(super) struct Events<E> {
    waiting: BTreeMap<(u64, u64), E>,
    put: u64,
}

impl<E> Events<E> {
    pub(super) fn new() -> Events<E> {
        Events {
            waiting: BTreeMap::new(),
            put: 0,
        }
    }

    pub(super) fn put(&mut self, at_ns: u64, event: E) {
        self.waiting.insert((at_ns, self.put), event);
        self.put += 1;
    }

    /// When the next one happens.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.waiting.keys().next().map(|&(at_ns, _)| at_ns)
    }

    /// The next one, if its time has come.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<E> {
        self.next_ns().filter(|&at_ns| at_ns <= now_ns)?;
        self.waiting.pop_first().map(|(_, event)| event)
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn events_happen_in_the_order_of_their_times_and_then_of_their_coming() {
        let mut events = Events::new();
        for (at_ns, event) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            events.put(at_ns, event);
        }
        assert_eq!(events.next_ns(), Some(3));
        assert_eq!(events.take(2), None);
        let order: std::string::String = std::iter::from_fn(|| events.take(5)).collect();
        assert_eq!(order, "abcd");
    }
}
