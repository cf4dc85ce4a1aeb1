//! The threads that a runtime starts: their names, their stacks, what they call.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::Builder;

impl Builder {
    /// Names the threads that the runtime starts; `annulus-worker` by default.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Builder {
        let name = name.into();
        self.thread_name = Arc::new(move || name.clone());
        self
    }

    /// Names the threads that the runtime starts by a function that is called for each.
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Builder
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.thread_name = Arc::new(name);
        self
    }

    /// Sets the stack size, in bytes, of the threads that the runtime starts.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Builder {
        self.thread_stack_size_bytes = Some(bytes);
        self
    }

    /// Sets how long an idle thread for blocking closures stays; 10 seconds by default.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Builder {
        self.thread_keep_alive = duration;
        self
    }

    /// Calls `f` on each thread that the runtime starts, before anything else.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Builder {
        self.on_thread_start = Some(Arc::new(f));
        self
    }

    /// Calls `f` on each thread that the runtime started, last of all.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Builder {
        self.on_thread_stop = Some(Arc::new(f));
        self
    }

    /// Calls `f` on a thread that is about to sleep for want of tasks.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Builder {
        self.hooks.on_park = Some(Arc::new(f));
        self
    }

    /// Calls `f` on a thread that has slept.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, f: F) -> &mut Builder {
        self.hooks.on_unpark = Some(Arc::new(f));
        self
    }
}
