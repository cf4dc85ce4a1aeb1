//! How often a busy worker looks up from its queue.
#![forbid(unsafe_code)]

use super::Builder;

/// Polls after which a core looks at its ring although tasks are runnable, as in tokio.
const POLLS_PER_TURN: u32 = 61;
/// Polls after which the queue of all workers comes before a worker's own.
const POLLS_PER_INJECTOR: u32 = 61;

/// Counted in polls of tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between two looks at the ring.
    pub(crate) turn_polls: u32,
    /// Between two looks at the queue of all workers.
    pub(crate) injector_polls: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            turn_polls: POLLS_PER_TURN,
            injector_polls: POLLS_PER_INJECTOR,
        }
    }
}

impl Builder {
    /// Sets after how many polls of tasks a worker takes the next one from the queue that all
    /// workers share, before its own queue is empty; 61 by default. With 1 it always looks there
    /// first.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn global_queue_interval(&mut self, polls: u32) -> &mut Builder {
        assert!(polls > 0, "global_queue_interval must be greater than 0");
        self.pace.injector_polls = polls;
        self
    }

    /// Sets after how many polls of tasks a worker looks at its ring and its timers although more
    /// tasks are runnable; 61 by default. It looks sooner where the kernel asks for it, and after
    /// 256 KiB of data.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn event_interval(&mut self, polls: u32) -> &mut Builder {
        assert!(polls > 0, "event_interval must be greater than 0");
        self.pace.turn_polls = polls;
        self
    }

    /// Accepted, checked, and without effect: under tokio this is how many events one call of epoll
    /// may answer. A ring's completions lie in memory by the time a worker looks, and it takes all
    /// of them; [`ring_entries`](Self::ring_entries) sets how many there can be.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Builder {
        assert!(events > 0, "max_io_events_per_tick must be non-zero");
        self
    }

    /// Accepted, checked, and without effect, as
    /// [`max_io_events_per_tick`](Self::max_io_events_per_tick).
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Builder {
        assert!(events > 0, "max_io_events_per_busy_tick must be non-zero");
        self
    }
}
