//! Clients that take their time: a byte now and then, or nothing read ever.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use annulus_tests::{fd_limit, settled_blocking, stress};

use crate::good::{Good, connect};
use crate::server::{ENDLESS, MODES, Server};

/// Slow clients of a full run, as far as descriptors go.
const SLOW: u64 = 10_000;
/// Clients of a full run that never read.
const SHUT: u64 = 1000;
/// What the server may need for itself, and for each connection: task, socket, poll, timer, and
/// what was received of a frame.
const BASE_BYTES: u64 = 32 << 20;
const CONNECTION_BYTES: u64 = 10 << 10;

/// So many connections go.
fn connections(full: u64) -> u64 {
    let limit = {
        fd_limit(u64::MAX).expect("the hard limit may be asked for");
        fd_limit(u64::MAX).expect("it may be asked for twice")
    };
    let count = stress(full).min(limit - 300);
    if count < stress(full) {
        println!("{count} of {} connections: descriptors", stress(full));
    }
    count
}

#[test]
fn slow_clients_cost_little_and_delay_nobody() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(120));
        let good = Good::start(server.address);
        // 1. They connect, and begin a frame that they will not end soon.
        let count = connections(SLOW);
        let mut slow: Vec<TcpStream> = (0..count)
            .map(|_| {
                let mut stream = connect(server.address);
                stream.write_all(&1000_u32.to_be_bytes()).expect("it reads");
                stream
            })
            .collect();
        settled_blocking("all are there", || server.connections() >= count);
        good.is_served("while slow clients are there");
        // 2. A byte of each now and then.
        for _ in 0..5 {
            for stream in &mut slow {
                stream.write_all(&[1]).expect("nobody was closed");
            }
            good.is_served("while slow clients send");
        }
        assert!(server.connections() >= count, "somebody was closed");
        // 3. They go, and so do their connections.
        drop(slow);
        settled_blocking("all are gone", || server.connections() <= 2);
        println!("{mode}: {count} slow clients");
        good.end();
        server.end(BASE_BYTES + count * CONNECTION_BYTES);
    }
}

#[test]
fn clients_that_never_read_hold_no_more_than_a_piece() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(120));
        let good = Good::start(server.address);
        let count = connections(SHUT);
        // 1. Each asks for 64 MiB, and its window shuts.
        let shut: Vec<TcpStream> = (0..count)
            .map(|_| {
                let mut stream = connect(server.address);
                stream.write_all(&ENDLESS.to_be_bytes()).expect("it reads");
                stream
            })
            .collect();
        settled_blocking("all are there", || server.connections() >= count);
        good.is_served("while windows are shut");
        assert!(server.connections() >= count, "somebody was closed");
        println!("{mode}: {count} shut windows");
        good.end();
        // 2. The server ends while all of them are there.
        server.end(BASE_BYTES + count * CONNECTION_BYTES);
        drop(shut);
    }
}
