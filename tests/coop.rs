#![forbid(unsafe_code)]
//! No task keeps its worker for ever: budgets, and `Builder::coop_wrap`.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::process::Command;
use std::task::{Context, Poll};
use std::time::Duration;

use annulus::io::AsyncReadExt;
use annulus::runtime::{Builder, LocalOptions, Runtime};
use annulus::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use annulus::task::{LocalSet, block_in_place, coop, yield_now};
use annulus::time;

/// The units of a poll, which are tokio's.
const BUDGET: usize = 128;
/// More than any budget.
const PLENTY: usize = 10 * BUDGET;

fn current_thread() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    builder
}

fn multi_thread() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    builder
}

/// A channel that is ready `PLENTY` times.
fn full_channel() -> UnboundedReceiver<usize> {
    let (tx, rx) = unbounded_channel();
    for n in 0..PLENTY {
        tx.send(n).expect("the receiver is there");
    }
    rx
}

/// How often something is ready before it makes its task give way, or `PLENTY`.
fn drain(mut ready: impl FnMut() -> bool) -> usize {
    (0..PLENTY).take_while(|_| ready()).count()
}

/// Messages of a full channel that one poll gets.
async fn messages_in_a_poll() -> usize {
    let mut rx = full_channel();
    poll_fn(|cx| Poll::Ready(drain(|| rx.poll_recv(cx).is_ready()))).await
}

/// What one poll can spend of annulus' own budget.
async fn units_in_a_poll() -> usize {
    poll_fn(|cx| Poll::Ready(drain(|| spend(cx)))).await
}

fn spend(cx: &mut Context<'_>) -> bool {
    match coop::poll_proceed(cx) {
        Poll::Ready(unit) => unit.made_progress(),
        Poll::Pending => return false,
    }
    true
}

/// Both counts, of the future of `block_on`, of a task, and of a task of a `LocalSet` in it.
fn counts(runtime: &Runtime) -> [(usize, usize); 3] {
    let both = || async {
        let messages = messages_in_a_poll().await;
        yield_now().await;
        (messages, units_in_a_poll().await)
    };
    let root = runtime.block_on(both());
    let task = runtime.block_on(runtime.spawn(both())).expect("it ends");
    let set = LocalSet::new();
    let local = set.block_on(runtime, async { annulus::task::spawn_local(both()).await });
    [root, task, local.expect("it ends")]
}

#[test]
fn a_wrapped_poll_gets_128_messages_and_an_unwrapped_one_all_there_are() {
    for mut builder in [current_thread(), multi_thread()] {
        let runtime = builder.coop_wrap(true).build().expect("it builds");
        assert_eq!(counts(&runtime), [(BUDGET, BUDGET); 3]);
        let runtime = builder.coop_wrap(false).build().expect("it builds");
        assert_eq!(counts(&runtime), [(PLENTY, BUDGET); 3]);
    }
}

#[test]
fn a_local_runtime_and_a_handle_wrap_too() {
    let mut builder = current_thread();
    let local = builder
        .coop_wrap(true)
        .build_local(LocalOptions::default())
        .expect("it builds");
    assert_eq!(local.block_on(messages_in_a_poll()), BUDGET);
    let task = local.spawn_local(messages_in_a_poll());
    assert_eq!(local.block_on(task).expect("it ends"), BUDGET);
    let runtime = multi_thread().coop_wrap(true).build().expect("it builds");
    assert_eq!(runtime.handle().block_on(messages_in_a_poll()), BUDGET);
}

#[test]
fn in_a_wrapped_poll_there_is_one_budget_for_everything() {
    let runtime = current_thread().coop_wrap(true).build().expect("it builds");
    let mut rx = full_channel();
    let mut turn = 0;
    let spent = runtime.block_on(poll_fn(|cx| {
        Poll::Ready(drain(|| {
            turn += 1;
            if turn % 2 == 0 {
                spend(cx)
            } else {
                rx.poll_recv(cx).is_ready()
            }
        }))
    }));
    assert_eq!(spent, BUDGET);
}

#[test]
fn select_does_not_look_at_a_branch_when_the_budget_is_spent() {
    let runtime = current_thread().coop_wrap(true).build().expect("it builds");
    runtime.block_on(async {
        assert_eq!(units_in_a_poll().await, BUDGET);
        let mut spent = pin!(async {
            annulus::select! {
                biased;
                () = coop::consume_budget() => "a unit",
                () = std::future::ready(()) => "no unit",
            }
        });
        assert!(!coop::has_budget_remaining());
        assert!(poll_once(spent.as_mut()).await.is_pending());
        assert_eq!(spent.await, "a unit");
    });
}

#[test]
fn a_timeout_elapses_although_its_future_spends_the_budget_at_every_poll() {
    for wrap in [false, true] {
        let mut builder = current_thread();
        let runtime = builder.coop_wrap(wrap).start_paused(true).build();
        runtime.expect("it builds").block_on(async {
            let greedy = poll_fn(|cx| {
                // What is tokio's, and what is annulus' own.
                let mut byte = [0];
                for _ in 0..PLENTY {
                    let read = pin!(annulus::io::empty().read(&mut byte)).poll(cx);
                    if read.is_pending() || !spend(cx) {
                        return Poll::Pending::<()>;
                    }
                }
                panic!("there is a budget");
            });
            let mut timeout = pin!(time::timeout(Duration::from_millis(1), greedy));
            // 1. The budget is spent before the time is up.
            assert!(poll_once(timeout.as_mut()).await.is_pending());
            // 2. Now it is up, and the budget a new one, to be spent first.
            time::advance(Duration::from_millis(2)).await;
            let Poll::Ready(elapsed) = poll_once(timeout).await else {
                panic!("wrapped {wrap}: the clock was not asked");
            };
            elapsed.expect_err("the future never ends");
        });
    }
}

#[test]
fn unconstrained_lifts_both_budgets() {
    for wrap in [false, true] {
        let runtime = current_thread().coop_wrap(wrap).build().expect("it builds");
        runtime.block_on(coop::unconstrained(async {
            assert_eq!(messages_in_a_poll().await, PLENTY);
            assert_eq!(units_in_a_poll().await, PLENTY);
        }));
    }
}

#[test]
fn what_blocks_in_place_has_no_budget_and_leaves_the_tasks_as_it_was() {
    for wrap in [false, true] {
        let runtime = multi_thread().coop_wrap(wrap).build().expect("it builds");
        let task = runtime.spawn(async move {
            // 1. Some of the budget is spent.
            let mut rx = full_channel();
            let mut get = |n| {
                let mut polls = (0..n).map(|_| rx.poll_recv(&mut noop()).is_ready());
                polls.all(|ready| ready)
            };
            let some = BUDGET / 2;
            assert!(get(some));
            assert!((0..some).all(|_| spend(&mut noop())));
            // 2. What blocks has no limit, for there is nobody to give way to, and may block.
            block_in_place(|| {
                futures::executor::block_on(async {
                    for _ in 0..PLENTY {
                        coop::consume_budget().await;
                    }
                });
                let (tx, mut rx) = unbounded_channel();
                tx.send(1).expect("the receiver is there");
                assert_eq!(rx.blocking_recv(), Some(1));
                // 3. A future that it blocks on has a budget of its own.
                let handle = annulus::runtime::Handle::current();
                let messages = handle.block_on(messages_in_a_poll());
                assert_eq!(messages, if wrap { BUDGET } else { PLENTY });
            });
            // 4. The rest of the budget is where it was.
            (0..PLENTY).take_while(|_| spend(&mut noop())).count()
        });
        let left = runtime.block_on(task).expect("it ends");
        assert_eq!(left, if wrap { 0 } else { BUDGET / 2 });
    }
}

#[test]
fn who_gave_way_is_woken_before_the_thread_blocks() {
    let runtime = multi_thread().worker_threads(1).build().expect("it builds");
    let task = runtime.spawn(async {
        let mut gave_way = tokio_test::task::spawn(yield_now());
        assert!(gave_way.poll().is_pending());
        assert!(!gave_way.is_woken(), "it is woken at once");
        block_in_place(|| {
            assert!(
                gave_way.is_woken(),
                "the closure could wait for it for ever"
            )
        });
    });
    runtime.block_on(task).expect("it does not panic");
}

#[test]
fn polling_a_local_set_leaves_the_rest_of_the_budget() {
    let runtime = current_thread().coop_wrap(true).build().expect("it builds");
    let set = LocalSet::new();
    let task = set.spawn_local(messages_in_a_poll());
    runtime.block_on(async {
        let mut rx = full_channel();
        let mut get = |cx: &mut Context<'_>| drain(|| rx.poll_recv(cx).is_ready());
        for _ in 0..BUDGET / 2 {
            coop::consume_budget().await;
        }
        assert!(poll_once(pin!(set)).await.is_ready());
        assert!(task.is_finished());
        let left = poll_fn(|cx| Poll::Ready(get(cx))).await;
        assert_eq!(left, BUDGET / 2);
    });
}

#[test]
fn what_blocks_the_thread_panics_in_a_wrapped_task_only() {
    for wrap in [false, true] {
        let runtime = current_thread().coop_wrap(wrap).build().expect("it builds");
        let (tx, mut rx) = unbounded_channel();
        tx.send(1).expect("the receiver is there");
        let received = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { rx.blocking_recv() })
        }));
        assert_eq!(received.is_err(), wrap);
        // The runtime, and the thread, are as they were.
        assert_eq!(runtime.block_on(async { 7 }), 7);
        let blocking = runtime.spawn_blocking(move || {
            tx.send(2).expect("the receiver is there");
            rx.blocking_recv().is_some()
        });
        assert!(runtime.block_on(blocking).expect("it ends"));
    }
}

#[test]
fn a_variable_decides_where_the_builder_does_not() {
    const SAID: &str = "ANNULUS_TEST_SAID";
    let here = || match current_thread().build() {
        Ok(runtime) => runtime.block_on(messages_in_a_poll()).to_string(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    if std::env::var_os(SAID).is_some() {
        println!("\n{SAID}={}", here());
        return;
    }
    let said = |value: &str| {
        let output = Command::new(std::env::current_exe().expect("a test knows its path"))
            .args([
                "a_variable_decides_where_the_builder_does_not",
                "--nocapture",
            ])
            .env(SAID, "1")
            .env("ANNULUS_COOP_WRAP", value)
            .output()
            .expect("the test binary starts again");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(SAID));
        line.expect("the child says it")[1..].to_owned()
    };
    assert_eq!(said("1"), BUDGET.to_string());
    assert_eq!(said("0"), PLENTY.to_string());
    assert_eq!(said(""), PLENTY.to_string());
    assert!(said("yes").starts_with("InvalidInput: ANNULUS_COOP_WRAP"));
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn noop() -> Context<'static> {
    Context::from_waker(std::task::Waker::noop())
}
