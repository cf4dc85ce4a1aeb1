//! Order between requests: links, hard links, drains, and the limits of linked requests.
//!
//! ```text
//!   A --LINK--> B --LINK--> C        B starts when A has succeeded; else B, C: ECANCELED
//!   A --HARD--> B                    B starts when A has ended, well or not
//!   A --LINK--> LINK_TIMEOUT         starts with A, cancels A when it runs out
//!   DRAIN D, then E                  D starts when all before are gone, E when D is
//! ```
//!
//! An entry that cannot be makes its whole chain fail: the others end with ECANCELED unheard.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::op;
use annulus_syscalls::io_uring::sqe_flags::{IOSQE_IO_DRAIN, IOSQE_IO_HARDLINK};

use super::request::{Key, Request};
use super::world::World;
use super::{Engine, Work};

/// A chain that is being taken in.
#[derive(Debug)]
pub(super) struct Chain {
    head: Key,
    last: Key,
}

impl Engine {
    /// Puts a request that was just taken in where it belongs: into the open chain, or in line.
    /// Returns what can start.
    pub(super) fn place(&mut self, key: Key) -> Option<Key> {
        let request = self.peek(key)?;
        let (linked, failed) = (request.is_linked(), request.preset.is_some());
        let Some(chain) = self.chain.take() else {
            if !linked {
                return self.line_up(key);
            }
            self.chain = Some(Chain {
                head: key,
                last: key,
            });
            return None;
        };
        if let Some(last) = self.get(chain.last) {
            last.next = Some(key);
        }
        if failed && let Some(head) = self.get(chain.head) {
            head.preset.get_or_insert(-Errno::ECANCELED.raw());
        }
        self.chain = Some(Chain {
            head: chain.head,
            last: key,
        });
        if linked {
            return None;
        }
        self.close_chain()
    }

    /// Whether a LINK_TIMEOUT may come now.
    pub(super) fn may_limit(&self) -> bool {
        let last = self.chain.as_ref().and_then(|chain| self.peek(chain.last));
        last.is_some_and(|last| last.opcode() != op::IORING_OP_LINK_TIMEOUT)
    }

    /// The chain is complete: its first request stands in line.
    pub(super) fn close_chain(&mut self) -> Option<Key> {
        let chain = self.chain.take()?;
        self.line_up(chain.head)
    }

    /// The request, unless it is held back behind a drain.
    fn line_up(&mut self, head: Key) -> Option<Key> {
        let mut length = 0;
        let mut drains = std::mem::take(&mut self.drain_next);
        let mut asked = false;
        let mut at = Some(head);
        while let Some(request) = at.and_then(|key| self.peek(key)) {
            length += 1;
            asked |= request.op.sqe.flags & IOSQE_IO_DRAIN != 0;
            at = request.next;
        }
        drains |= asked;
        self.drain_next = asked;
        if !drains && self.held.is_empty() {
            return Some(head);
        }
        self.held_count += length;
        self.held.push_back((head, drains, length));
        None
    }

    /// Starts the next of those that were held back, if it may.
    pub(super) fn release_held(&mut self) -> bool {
        let Some(&(head, drains, length)) = self.held.front() else {
            return false;
        };
        if drains && self.requests.len() > self.held_count {
            return false;
        }
        self.held.pop_front();
        self.held_count -= length;
        self.work.push_back(Work::Start(head));
        true
    }

    /// Starts a request, with the limit that follows it.
    pub(super) fn start(&mut self, key: Key, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let preset = request.preset;
        if let Some(next) = request.next
            && let Some(limit) = self.get(next)
            && limit.opcode() == op::IORING_OP_LINK_TIMEOUT
            && limit.preset.is_none()
        {
            let after = limit.next.take();
            if let Some(request) = self.get(key) {
                request.limit = Some(next);
                request.next = after;
            }
        }
        match preset {
            Some(res) => {
                // Nothing of the chain runs, hard links or not.
                if let Some(request) = self.get(key) {
                    request.op.sqe.flags &= !IOSQE_IO_HARDLINK;
                }
                return self.finish(key, res, 0, world);
            }
            None => self.issue(key, world),
        }
        if let Some(limit) = self.peek(key).and_then(|request| request.limit) {
            self.arm_limit(limit, key, world);
        }
    }

    /// What becomes of the rest of a chain when `request` has ended.
    pub(super) fn go_on(&mut self, request: &Request, failed: bool) {
        let hard = request.op.sqe.flags & IOSQE_IO_HARDLINK != 0;
        if !failed || hard {
            if let Some(next) = request.next {
                self.work.push_back(Work::Start(next));
            }
            return;
        }
        if let Some(next) = request.next {
            self.work.push_back(Work::Break(next, request.quiet));
        }
    }

    /// A request that failed takes the rest of its chain along; one without a CQE on success
    /// silences it.
    pub(super) fn break_chain(&mut self, first: Key, quiet: bool, world: &mut impl World) {
        let mut at = Some(first);
        while let Some(key) = at {
            world.give_back(key);
            let Some(cancelled) = self.remove(key) else {
                return;
            };
            let res = cancelled.preset.unwrap_or(-Errno::ECANCELED.raw());
            if !quiet {
                self.post(cancelled.user_data(), res, 0);
            }
            at = cancelled.next;
        }
    }
}
