//! P16: any duration is accepted, and timers fire once and never early.

use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::sim::{Fault, Sim, seeds};
use annulus::time::{Instant, sleep, sleep_until, timeout};
use annulus_tests::Random;

use crate::scenario::{Fallible, add_up, count, end, hidden, vary};

const TIMERS: u64 = 1_200;
/// How many of them run at once.
const AT_ONCE: u64 = 300;
/// How late one may be: a tick, and what the workers' steps take while many fire at once.
const LATE_MAX: Duration = Duration::from_millis(30);

fn duration(random: &mut Random) -> Duration {
    match random.below(8) {
        0 => Duration::ZERO,
        1 => Duration::from_nanos(1),
        2 => Duration::from_nanos(random.below(3_000_000)),
        3 => Duration::from_micros(random.below(100_000)),
        4 => Duration::from_millis(random.below(5_000)),
        5 => Duration::MAX,
        6 => Duration::from_secs(u64::MAX / (1 + random.below(1 << 40))),
        _ => Duration::from_millis(random.below(200_000)),
    }
}

/// Longer than the scenario takes.
const FAR: Duration = Duration::from_secs(300);

async fn one(mut random: Random, late_max: Duration) -> Fallible {
    let began = Instant::now();
    let wanted = duration(&mut random);
    if wanted > FAR {
        // Never: what waits in it ends first.
        let inner = Duration::from_millis(random.below(20));
        timeout(wanted, sleep(inner)).await?;
        let outer = timeout(inner, sleep(wanted)).await;
        assert!(outer.is_err(), "{wanted:?} is over");
        return Ok(());
    }
    if random.below(8) == 0 {
        let past = began.checked_sub(wanted).unwrap_or(began);
        sleep_until(past).await;
        assert!(began.elapsed() <= late_max, "{:?}", began.elapsed());
        return Ok(());
    }
    sleep(wanted).await;
    let took = began.elapsed();
    assert!(took >= wanted, "{wanted:?} took only {took:?}");
    assert!(took <= wanted + late_max, "{wanted:?} took {took:?}");
    Ok(())
}

fn durations(sim: &mut Sim) {
    let mut random = vary(sim);
    // A clock that jumps makes timers late, and never early.
    let jumps = random.below(4) == 0;
    let late_max = if jumps { FAR } else { LATE_MAX };
    let mut faults = hidden(random.pick(&[0, 30]));
    faults.set(Fault::ClockJump, if jumps { 5 } else { 0 });
    sim.faults(faults).duration_max(FAR * 100);
    let bits = random.bits();
    sim.client("client", async move {
        let mut tasks = Vec::new();
        for first in 0..AT_ONCE {
            tasks.push(annulus::spawn(async move {
                for number in (first..TIMERS).step_by(AT_ONCE as usize) {
                    let own = Random::seeded(bits ^ number);
                    // Something of the ring's beside each timer.
                    let (mut one_end, mut other) = annulus::net::UnixStream::pair()?;
                    let wait = annulus::spawn(async move { one_end.read_u8().await });
                    one(own, late_max).await?;
                    other.write_u8(1).await?;
                    wait.await??;
                }
                Fallible::Ok(())
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    });
    sim.run().unwrap();
    sim.count("timers", TIMERS);
    end(sim, &["client"]);
}

#[test]
fn a_timer_of_any_duration_fires_once_and_never_early() {
    let totals = seeds(count(), |sim| durations(sim));
    add_up("durations", &totals, &[]);
}
