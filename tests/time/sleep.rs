//! Sleeping: early, late, reset, dropped, elsewhere.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use annulus::runtime::{Builder, Runtime};
use annulus::task;
use annulus::time::{self, Duration, Instant, Sleep};
use annulus_tests::{Random, on_a_machine, serial};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio_test::{assert_pending, assert_ready, task::spawn};

use crate::{HOUR, MS, YEARS_30, any_duration, ms, panic_text, paused, running};

/// When a sleep became ready, and how often it was polled until then.
async fn watched(sleep: Sleep) -> (Instant, u32) {
    let mut sleep = pin!(sleep);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        sleep.as_mut().poll(cx)
    })
    .await;
    (Instant::now(), polls)
}

#[test]
fn any_duration_is_accepted_and_fires_once_and_never_early() {
    const COUNT: usize = 100_000;
    let mut random = Random::new("any duration");
    let mut durations = vec![
        Duration::ZERO,
        Duration::from_nanos(1),
        MS,
        YEARS_30,
        Duration::MAX,
    ];
    durations.extend([MS - Duration::from_nanos(1), MS + Duration::from_nanos(1)]);
    durations.resize_with(COUNT, || any_duration(&mut random));
    paused(task::unconstrained(async move {
        let start = Instant::now();
        let sleep = async |duration: Duration| {
            (duration.min(YEARS_30), watched(time::sleep(duration)).await)
        };
        let mut sleeps: FuturesUnordered<_> = durations.into_iter().map(sleep).collect();
        let (mut fired, mut waited, mut last) = (0, 0, start);
        while let Some((duration, (at, polls))) = sleeps.next().await {
            assert!(at >= start + duration, "{duration:?} fired early");
            assert!(at < start + duration + MS, "{duration:?} fired late");
            assert!(at >= last, "{duration:?} fired out of order");
            assert!(polls <= 2, "{duration:?} woke its task {} times", polls - 1);
            (fired, last) = (fired + 1, at);
            waited += usize::from(polls == 2);
        }
        assert_eq!(fired, COUNT);
        assert!(waited > COUNT / 2, "only {waited} timers were in the wheel");
    }));
}

#[test]
fn a_running_clock_fires_never_early() {
    running(|| async {
        let mut random = Random::new("running");
        let one = async |duration: Duration| {
            let start = std::time::Instant::now();
            time::sleep(duration).await;
            assert!(start.elapsed() >= duration, "{duration:?} fired early");
        };
        let durations = (0..2_000).map(|_| Duration::from_nanos(random.below(30_000_000)));
        let fired = durations
            .map(one)
            .collect::<FuturesUnordered<_>>()
            .count()
            .await;
        assert_eq!(fired, 2_000);
    });
}

#[test]
fn a_hundred_thousand_sleeping_tasks_all_wake() {
    running(|| async {
        let mut random = Random::new("sleeping tasks");
        let woken = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..100_000)
            .map(|_| {
                let (duration, woken) = (ms(random.below(200) as u32), woken.clone());
                annulus::spawn(async move {
                    time::sleep(duration).await;
                    woken.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a sleeping task does not panic");
        }
        assert_eq!(woken.load(Ordering::Relaxed), 100_000);
    });
}

#[test]
fn a_past_deadline_is_ready_at_the_first_poll() {
    paused(async {
        let start = Instant::now();
        time::advance(ms(5)).await;
        let mut sleep = spawn(time::sleep_until(start));
        assert!(!sleep.enter(|_, sleep| sleep.is_elapsed()));
        assert_ready!(sleep.poll());
        assert!(sleep.enter(|_, sleep| sleep.is_elapsed()));
        assert_eq!(sleep.enter(|_, sleep| sleep.deadline()), start);
    });
}

#[test]
fn fractions_of_a_tick_round_up() {
    paused(async {
        let mut sleep = spawn(time::sleep(MS));
        assert_pending!(sleep.poll());
        for _ in 0..3 {
            time::advance(Duration::from_micros(250)).await;
            assert_pending!(sleep.poll());
            assert!(!sleep.is_woken());
        }
        time::advance(Duration::from_micros(250)).await;
        assert!(sleep.is_woken());
        assert_ready!(sleep.poll());

        // From 1.0 ms, 1 ms and 1 ns end with tick 3.
        let start = Instant::now();
        time::sleep(MS + Duration::from_nanos(1)).await;
        assert_eq!(start.elapsed(), 2 * MS);
    });
}

#[test]
fn a_reset_sleep_ends_at_its_last_deadline() {
    paused(async {
        let start = Instant::now();
        let mut sleep = pin!(time::sleep(ms(100)));
        let mut wakes = spawn(poll_fn(|cx| sleep.as_mut().poll(cx)));
        assert_pending!(wakes.poll());
        drop(wakes);

        // 1. Later, before it fires.
        sleep.as_mut().reset(start + ms(200));
        sleep.as_mut().await;
        assert_eq!(start.elapsed(), ms(200));
        // 2. After it has fired.
        sleep.as_mut().reset(start + ms(210));
        assert!(!sleep.is_elapsed());
        sleep.as_mut().await;
        assert_eq!(start.elapsed(), ms(210));
        // 3. To the past, while it waits.
        sleep.as_mut().reset(start + HOUR);
        assert_pending!(futures::poll!(sleep.as_mut()));
        sleep.as_mut().reset(start);
        assert_ready!(futures::poll!(sleep.as_mut()));
        // 4. Before its first poll.
        let mut sleep = pin!(time::sleep(HOUR));
        sleep.as_mut().reset(start + ms(220));
        sleep.await;
        assert_eq!(start.elapsed(), ms(220));
    });
}

#[test]
fn a_reset_wakes_the_waiting_task_at_the_new_deadline_without_a_poll() {
    paused(async {
        let mut sleep = spawn(time::sleep(ms(100)));
        assert_pending!(sleep.poll());
        let earlier = Instant::now() + ms(10);
        sleep.enter(|_, sleep| sleep.reset(earlier));
        time::advance(ms(9)).await;
        assert!(!sleep.is_woken());
        time::advance(ms(1)).await;
        assert!(sleep.is_woken());
        assert_ready!(sleep.poll());
    });
}

/// Drops sleeps, and starts others, while a timer wakes it.
struct Meddler {
    waiting: Mutex<Vec<Pin<Box<Sleep>>>>,
    started: Mutex<Vec<Pin<Box<Sleep>>>>,
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        let dropped = std::mem::take(&mut *self.waiting.lock().expect("not held"));
        let count = dropped.len();
        drop(dropped);
        let mut started = self.started.lock().expect("not held");
        for _ in 0..count {
            let mut sleep = Box::pin(time::sleep(HOUR));
            assert_pending!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            started.push(sleep);
        }
    }
}

#[test]
fn a_waker_may_drop_sleeps_that_fire_with_it_and_start_others() {
    paused(async {
        let meddler = Arc::new(Meddler {
            waiting: Mutex::default(),
            started: Mutex::default(),
        });
        let waker = Waker::from(meddler.clone());
        // 1. A hundred sleeps of one tick wait under one waker.
        for _ in 0..100 {
            let mut sleep = Box::pin(time::sleep(ms(10)));
            assert_pending!(sleep.as_mut().poll(&mut Context::from_waker(&waker)));
            meddler.waiting.lock().expect("not held").push(sleep);
        }
        // 2. The first to fire drops them all, and starts as many in their place.
        time::sleep(ms(11)).await;
        assert!(meddler.waiting.lock().expect("not held").is_empty());
        // 3. None of the new ones took over what had been due.
        let started = std::mem::take(&mut *meddler.started.lock().expect("not held"));
        assert_eq!(started.len(), 100);
        assert!(started.iter().all(|sleep| !sleep.is_elapsed()));
        // 4. They fire at their own time.
        let start = Instant::now();
        futures::future::join_all(started).await;
        assert_eq!(start.elapsed(), HOUR - ms(1));
    });
}

#[test]
fn a_sleep_dropped_by_the_waker_of_another_is_gone() {
    struct Owner(#[expect(dead_code, reason = "dropped with the waker")] Pin<Box<Sleep>>);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    paused(async {
        let mut owned = Box::pin(time::sleep(HOUR));
        assert_pending!(owned.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        let waker = Waker::from(Arc::new(Owner(owned)));
        let mut sleep = Box::pin(time::sleep(HOUR));
        assert_pending!(sleep.as_mut().poll(&mut Context::from_waker(&waker)));
        drop(waker);
        drop(sleep);
    });
}

#[test]
fn a_sleep_follows_the_clock_of_the_runtime_it_was_made_in() {
    let _serial = serial();
    let build = || {
        Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
    };
    let (first, second) = (build().expect("it builds"), build().expect("it builds"));
    let start = first.block_on(async { Instant::now() });
    let mut sleep = Box::pin(made_in(&first, ms(20)));
    second.block_on(async {
        assert_pending!(futures::poll!(sleep.as_mut()));
        time::advance(HOUR).await;
        assert_pending!(futures::poll!(sleep.as_mut()));
        sleep.as_mut().reset(start + ms(30));
    });
    first.block_on(async {
        sleep.await;
        assert_eq!(start.elapsed(), ms(30));
    });
}

#[test]
fn a_sleep_works_under_a_foreign_executor() {
    if !on_a_machine("a thread of its own waits") {
        return;
    }
    let _serial = serial();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("the runtime builds");
    let start = Instant::now();
    let sleep = made_in(&runtime, ms(20));
    std::thread::spawn(move || futures::executor::block_on(sleep))
        .join()
        .expect("it wakes");
    assert!(start.elapsed() >= ms(20));
}

#[test]
fn a_sleep_polled_after_shutdown_panics() {
    let _serial = serial();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it builds");
    let mut sleep = Box::pin(made_in(&runtime, HOUR));
    drop(runtime);
    let poll = || sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(panic_text(poll).contains("is being shutdown"));
}

#[test]
fn sleeps_that_are_ready_give_way_to_others() {
    paused(async {
        let past = Instant::now();
        let greedy = async {
            loop {
                time::sleep_until(past).await;
            }
        };
        assert_pending!(futures::poll!(pin!(greedy)));
    });
}

/// A sleep of `runtime` that nobody has polled.
fn made_in(runtime: &Runtime, duration: Duration) -> Sleep {
    let _entered = runtime.enter();
    time::sleep(duration)
}
