//! Runtimes that meet one another on the same thread.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::{Builder, Runtime};
use crate::reactor::Home;
use crate::task::block_in_place;
use crate::time::sleep;

fn single() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("the runtime builds")
}

fn multi() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("the runtime builds")
}

#[test]
fn block_in_place_leaves_the_core_of_another_runtime_where_it_is() {
    let (outer, inner) = (single(), multi());
    let refused = catch_unwind(AssertUnwindSafe(|| {
        outer.block_on(async {
            let _entered = inner.enter();
            block_in_place(|| {});
        });
    }));
    let panic = refused.expect_err("a current-thread runtime hands no core on");
    let text = panic.downcast_ref::<&str>().expect("a text");
    assert!(text.contains("multi-threaded runtime"), "{text}");
    outer.block_on(sleep_a_moment());

    let (outer, inner) = (multi(), multi());
    let handle = inner.handle().clone();
    let refused = outer.spawn(async move {
        let _entered = handle.enter();
        block_in_place(|| {});
    });
    assert!(outer.block_on(refused).is_err());
    let task = outer.spawn(sleep_a_moment());
    outer.block_on(task).expect("its worker is there");
}

async fn sleep_a_moment() {
    sleep(Duration::from_millis(1)).await;
}

/// Ends a runtime when it is woken.
struct EndOnWake(Mutex<Option<Runtime>>);

impl Wake for EndOnWake {
    fn wake(self: Arc<Self>) {
        let runtime = self.0.lock().expect("nobody panicked").take();
        runtime.expect("it is woken once").shutdown_background();
    }
}

#[test]
fn a_runtime_may_be_ended_by_a_waker_that_anothers_turn_calls() {
    let (outer, inner) = (single(), single());
    let home = inner.block_on(async {
        drop(crate::spawn(sleep(Duration::from_secs(3600))));
        Home::current()
    });
    outer.block_on(async {
        let mut timer = std::pin::pin!(sleep(Duration::from_millis(2)));
        let waker = Waker::from(Arc::new(EndOnWake(Mutex::new(Some(inner)))));
        let polled = timer.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        sleep(Duration::from_millis(5)).await;
    });
    // All of it is gone, its ring and its core too.
    assert_eq!(Arc::strong_count(&home), 1);
}
