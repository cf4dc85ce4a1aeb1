//! P8: errors of enter never hang or spin: transient ones are retried, a lasting one marks the
//! core dead, and every operation yields it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::sim::{Fault, Faults, Sim, seeds};
use annulus::uring;

use crate::scenario::{Fallible, add_up, count, end, vary};

const ERRORS: [Fault; 4] = [
    Fault::EnterInterrupted,
    Fault::EnterAgain,
    Fault::EnterBusy,
    Fault::EnterNoMemory,
];
/// Of 1,000 enters: every seventh.
const EVERY_SEVENTH: u32 = 143;
const CONNECTIONS: usize = 36;
/// Bytes that each connection carries there and back.
const BYTES: usize = 1000;
/// Echoes of a connection in flight when the errors begin to last.
const LONG: usize = usize::MAX;

async fn serve() -> Fallible {
    let listener = TcpListener::bind("127.0.0.1:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        annulus::spawn(async move {
            let (mut reader, mut writer) = stream.split();
            annulus::io::copy(&mut reader, &mut writer).await
        });
    }
}

/// Sends so many bytes, a few at a time, and gets them back.
async fn echo(bytes: usize, rounds: Arc<AtomicU64>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect("127.0.0.1:80").await?;
    let mut done = 0;
    while done < bytes {
        let (sent, _) = uring::send(&stream, vec![6; 40]).await;
        let mut back = vec![0; sent?];
        stream.read_exact(&mut back).await?;
        assert!(back.iter().all(|&byte| byte == 6));
        done += back.len();
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    stream.shutdown().await
}

fn transient(sim: &mut Sim) {
    let mut random = vary(sim);
    let error = random.pick(&ERRORS);
    sim.faults(Faults::none().set(error, EVERY_SEVENTH).clone());
    sim.client("host", async {
        let server = annulus::spawn(serve());
        let tasks: Vec<_> = (0..CONNECTIONS)
            .map(|_| annulus::spawn(echo(BYTES, Arc::default())))
            .collect();
        for task in tasks {
            task.await??;
        }
        server.abort();
        Ok(())
    });
    sim.run().unwrap();
    assert!(sim.injected().injected(error) > 0);
    end(sim, &["host"]);
}

fn lasting(sim: &mut Sim) {
    let mut random = vary(sim);
    // EINTR is no error that lasts: it says that a signal came.
    let error = random.pick(&ERRORS[1..]);
    let rounds = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&rounds);
    sim.workers(1);
    sim.client("host", async move {
        annulus::spawn(serve());
        let tasks: Vec<_> = (0..CONNECTIONS)
            .map(|_| annulus::spawn(echo(LONG, Arc::clone(&counter))))
            .collect();
        // Every operation that is pending ends with the error, and every later one does.
        for task in tasks {
            assert!(task.await?.is_err(), "an endless echo has ended well");
        }
        let later = TcpStream::connect("127.0.0.1:80").await;
        assert!(later.is_err(), "a dead core has connected");
        Ok(())
    });
    while rounds.load(Ordering::Relaxed) < 1000 {
        sim.run_for(Duration::from_millis(1)).unwrap();
    }
    sim.faults(Faults::none().set(error, 1000).clone());
    sim.run().unwrap();
    sim.stop("host");
    crate::scenario::operated(sim);
}

#[test]
fn transient_errors_of_enter_are_retried() {
    let totals = seeds(count(), |sim| transient(sim));
    add_up("enters", &totals, &[]);
}

#[test]
fn a_lasting_error_of_enter_ends_every_operation() {
    let totals = seeds(count(), |sim| lasting(sim));
    add_up("lasting errors", &totals, &[]);
}
