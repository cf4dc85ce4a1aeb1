//! The client that has to be served whatever the others do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use annulus_tests::settled_blocking;

/// How many answers it gets while a test says that it is served.
const ROUNDS: u64 = 50;

pub(crate) struct Good {
    served: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Good {
    /// Sends frames one after the other, every tenth over a new connection.
    pub(crate) fn start(address: SocketAddr) -> Good {
        let (served, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counter, end) = (served.clone(), over.clone());
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            let mut stream = connect(address);
            while !end.load(Relaxed) {
                let start = Instant::now();
                if times.len() % 10 == 9 {
                    stream = connect(address);
                }
                exchange(&mut stream);
                times.push(start.elapsed());
                counter.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
            times
        });
        Good {
            served,
            over,
            thread,
        }
    }

    /// Waits until it was served often from now on.
    pub(crate) fn is_served(&self, what: &str) {
        let before = self.served.load(Relaxed);
        settled_blocking(what, || {
            self.thread.is_finished() || self.served.load(Relaxed) >= before + ROUNDS
        });
        assert!(!self.thread.is_finished(), "the good client failed: {what}");
    }

    /// Ends it, and says how it was served.
    pub(crate) fn end(self) {
        self.over.store(true, Relaxed);
        let mut times = self.thread.join().expect("it was served throughout");
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!(
            "good client: {} answers, p50 {:?}, p99 {:?}, slowest {:?}",
            times.len(),
            at(50),
            at(99),
            at(100)
        );
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("TCP knows its option");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("30 s is one");
    stream.set_write_timeout(patience).expect("30 s is one");
    stream
}

fn exchange(stream: &mut TcpStream) {
    let mut frame = vec![7; 132];
    frame[..4].copy_from_slice(&128_u32.to_be_bytes());
    stream.write_all(&frame).expect("it is read");
    let mut back = vec![0; frame.len()];
    stream.read_exact(&mut back).expect("it is answered");
    assert_eq!(frame, back);
}
