//! Futures with a limited time.

use std::future::pending;

use annulus::task;
use annulus::time::{self, Duration, Instant};
use annulus_tests::Random;
use tokio_test::{assert_pending, task::spawn};

use crate::{HOUR, MS, YEARS_30, any_duration, ms, paused, running};

#[test]
fn timeouts_take_any_duration() {
    paused(async {
        let mut random = Random::new("timeouts");
        for _ in 0..10_000 {
            let (start, limit) = (Instant::now(), any_duration(&mut random) / (1 << 20));
            assert!(time::timeout(limit, pending::<()>()).await.is_err());
            assert!(start.elapsed() >= limit && start.elapsed() < limit + MS);
        }
        for limit in [
            Duration::MAX,
            Duration::MAX - MS,
            Duration::from_secs(1 << 62),
        ] {
            let mut timeout = spawn(time::timeout(limit, pending::<()>()));
            assert_pending!(timeout.poll());
            time::advance(YEARS_30).await;
            assert_pending!(timeout.poll());
        }
    });
}

#[test]
fn a_timeout_asks_the_future_first() {
    paused(async {
        assert_eq!(time::timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        let past = Instant::now() - HOUR;
        assert_eq!(time::timeout_at(past, std::future::ready(2)).await, Ok(2));
        assert!(time::timeout_at(past, pending::<()>()).await.is_err());
    });
}

#[test]
fn a_timeout_ends_a_future_that_waits_too_long() {
    paused(async {
        let start = Instant::now();
        let elapsed = time::timeout(ms(50), time::sleep(ms(51)))
            .await
            .unwrap_err();
        assert_eq!(start.elapsed(), ms(50));
        assert_eq!(elapsed.to_string(), "deadline has elapsed");
        assert_eq!(
            std::io::Error::from(elapsed).kind(),
            std::io::ErrorKind::TimedOut
        );
        assert!(time::timeout(ms(50), time::sleep(ms(49))).await.is_ok());
        assert_eq!(start.elapsed(), ms(99));
    });
}

#[test]
fn a_timeout_is_met_though_its_future_spends_all_of_the_budget() {
    paused(async {
        let glutton = async {
            loop {
                task::coop::consume_budget().await;
                time::advance(Duration::from_micros(1)).await;
            }
        };
        assert!(time::timeout(ms(1), glutton).await.is_err());
    });
    running(|| async {
        let glutton = async {
            loop {
                task::coop::consume_budget().await;
            }
        };
        assert!(time::timeout(ms(1), glutton).await.is_err());
    });
}
