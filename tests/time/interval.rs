//! Intervals, and what they do about ticks that were missed.

use std::task::Poll;

use annulus::time::{self, Duration, Instant, Interval, MissedTickBehavior};
use tokio_test::{assert_pending, assert_ready_eq, task::Spawn, task::spawn};

use crate::{YEARS_30, ms, panic_text, paused};

fn poll_tick(interval: &mut Spawn<Interval>) -> Poll<Instant> {
    interval.enter(|cx, mut interval| interval.poll_tick(cx))
}

/// Takes ticks of a period of 100 ms at `taken` ms, and checks when they were due.
fn ticks(behavior: MissedTickBehavior, taken_and_due: &[(u32, u32)]) {
    paused(async {
        let start = Instant::now();
        let mut interval = spawn(time::interval(ms(100)));
        interval.set_missed_tick_behavior(behavior);
        assert_eq!(interval.missed_tick_behavior(), behavior);
        for &(taken, due) in taken_and_due {
            time::sleep_until(start + ms(taken)).await;
            assert_ready_eq!(poll_tick(&mut interval), start + ms(due));
        }
        assert_pending!(poll_tick(&mut interval));
    });
}

#[test]
fn burst_catches_up() {
    let late = [
        (0, 0),
        (100, 100),
        (350, 200),
        (350, 300),
        (400, 400),
        (505, 500),
        (600, 600),
    ];
    ticks(MissedTickBehavior::Burst, &late);
}

#[test]
fn delay_starts_anew() {
    let late = [
        (0, 0),
        (100, 100),
        (350, 200),
        (450, 450),
        (555, 550),
        (650, 650),
    ];
    ticks(MissedTickBehavior::Delay, &late);
}

#[test]
fn skip_keeps_the_phase() {
    let late = [
        (0, 0),
        (100, 100),
        (350, 200),
        (400, 400),
        (505, 500),
        (600, 600),
    ];
    ticks(MissedTickBehavior::Skip, &late);
    ticks(MissedTickBehavior::Skip, &[(0, 0), (300, 100), (400, 400)]);
}

#[test]
fn a_tick_that_was_not_taken_is_not_lost() {
    paused(async {
        let start = Instant::now();
        let mut interval = time::interval(ms(100));
        assert_eq!(interval.tick().await, start);
        assert!(time::timeout(ms(99), interval.tick()).await.is_err());
        assert_eq!(interval.tick().await, start + ms(100));
        assert_eq!(start.elapsed(), ms(100));
    });
}

#[test]
fn resets_move_the_next_tick_of_an_interval() {
    paused(async {
        let start = Instant::now();
        let mut interval = time::interval(ms(100));
        assert_eq!(interval.period(), ms(100));
        interval.tick().await;
        time::sleep(ms(50)).await;
        interval.reset();
        assert_eq!(interval.tick().await, start + ms(150));
        interval.reset_immediately();
        assert_eq!(interval.tick().await, start + ms(150));
        interval.reset_after(ms(20));
        assert_eq!(interval.tick().await, start + ms(170));
        interval.reset_at(start + ms(1_000));
        assert_eq!(interval.tick().await, start + ms(1_000));
        assert_eq!(interval.tick().await, start + ms(1_100));
        assert_eq!(start.elapsed(), ms(1_100));
    });
}

#[test]
fn an_interval_takes_any_period_but_zero() {
    paused(async {
        let start = Instant::now();
        let mut interval = time::interval(Duration::MAX);
        interval.tick().await;
        assert_eq!(interval.tick().await, start + YEARS_30);
        interval.reset();
        interval.reset_after(Duration::MAX);
        assert_eq!(interval.tick().await, start + 2 * YEARS_30);
    });
    assert!(panic_text(|| time::interval(Duration::ZERO)).contains("non-zero"));
    assert!(panic_text(|| time::interval_at(Instant::now(), Duration::ZERO)).contains("non-zero"));
}
