//! The inbox of a home: headers that other threads, or a drop, hand to it.
//!
//! A stack by one compare-and-swap, taken whole by the home. Nothing is allocated: the link
//! stands in the header, and a bit of its state keeps it from standing here twice. Closing swaps
//! in a mark that no push gets past, so that after the home's end a header is refused, not lost.

use std::ptr;

use super::header::{Header, HeaderRef, Phase};
use crate::atomics::{AtomicPtr, Ordering};

/// The stack's head when the home takes nothing any more.
const CLOSED: *mut Header = ptr::dangling_mut::<Header>();

pub(crate) struct Inbox {
    head: AtomicPtr<Header>,
}

/// The home has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Puts in a header whose link bit the caller has just set.
    pub(super) fn push(&self, header: HeaderRef) -> Result<(), Closed> {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            if head == CLOSED {
                return Err(Closed);
            }
            header.link.store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(
                head,
                header.0.as_ptr(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => head = now,
            }
        }
    }

    /// True when a drain would find something. SeqCst, because a core that is about to park reads
    /// this after it has said that it parks.
    pub(crate) fn has_mail(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        !head.is_null() && head != CLOSED
    }

    /// Takes all headers, oldest first.
    pub(super) fn take(&self) -> Taken {
        if !self.has_mail() {
            return Taken {
                next: ptr::null_mut(),
            };
        }
        Taken::reversed(self.head.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// Takes all headers, and none after.
    pub(super) fn close(&self) -> Taken {
        let head = self.head.swap(CLOSED, Ordering::AcqRel);
        Taken::reversed(if head == CLOSED {
            ptr::null_mut()
        } else {
            head
        })
    }
}

/// Headers that were taken. Dropping this with some left would lose them: it is always run out.
pub(super) struct Taken {
    next: *mut Header,
}

impl Taken {
    fn reversed(mut head: *mut Header) -> Taken {
        let mut next = ptr::null_mut();
        while let Some(header) = ptr::NonNull::new(head) {
            let header = HeaderRef(header);
            head = header.link.swap(next, Ordering::Relaxed);
            next = header.0.as_ptr();
        }
        Taken { next }
    }
}

impl Iterator for Taken {
    /// A header, and its phase at the moment it came out.
    type Item = (HeaderRef, Phase);

    fn next(&mut self) -> Option<(HeaderRef, Phase)> {
        let header = HeaderRef(ptr::NonNull::new(self.next)?);
        self.next = header.link.swap(ptr::null_mut(), Ordering::Relaxed);
        // After this another thread may put the header in again, hence not before the link is read.
        Some((header, header.unlink()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::Link;
    use super::*;

    fn linked_header() -> HeaderRef {
        let header = HeaderRef(ptr::NonNull::from(Box::leak(Box::new(Header::new(
            0, false,
        )))));
        header.set(Phase::Queued, Link::Linked);
        header
    }

    #[test]
    fn headers_come_out_in_the_order_they_went_in() {
        let inbox = Inbox::new();
        let headers = [linked_header(), linked_header(), linked_header()];
        for header in headers {
            inbox.push(header).expect("the inbox is open");
        }
        assert!(inbox.has_mail());
        assert_eq!(
            inbox.take().collect::<Vec<_>>(),
            headers.map(|header| (header, Phase::Queued))
        );
        assert!(!inbox.has_mail());
    }

    #[test]
    fn a_header_that_is_in_the_inbox_is_not_to_be_pushed_again() {
        let header = linked_header();
        assert_eq!(
            header.change_and_link(Phase::Queued, Phase::DroppedQueued),
            Ok(false)
        );
        assert!(!header.empty());
        assert_eq!(header.unlink(), Phase::Empty);
        assert!(header.empty());
    }

    #[test]
    fn a_closed_inbox_hands_out_what_it_had_and_refuses_more() {
        let inbox = Inbox::new();
        let (a, b) = (linked_header(), linked_header());
        inbox.push(a).expect("the inbox is open");
        assert_eq!(inbox.close().collect::<Vec<_>>(), [(a, Phase::Queued)]);
        assert_eq!(inbox.push(b), Err(Closed));
        assert!(!inbox.has_mail());
    }

    #[test]
    fn pushes_from_many_threads_all_arrive() {
        let inbox = Inbox::new();
        let mut seen = 0;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| inbox.push(linked_header()).expect("open")));
            }
            while seen < 4000 {
                seen += inbox.take().count();
            }
        });
        assert_eq!(seen, 4000);
    }
}
