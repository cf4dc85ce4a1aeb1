//! Clients that send more than was agreed: frames of 1 GiB, and frames without end.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use annulus_tests::{settled_blocking, stress};

use crate::good::{Good, connect};
use crate::server::{MODES, Server};

/// Clients of a full run that announce 1 GiB.
const GIANTS: u64 = 1000;
/// Clients that send frames and read no answer, and how many bytes each of them tries to send.
const FLOODS: usize = 8;
const FLOOD_BYTES: u64 = 1 << 30;
/// What the server may need.
const BYTES_MAX: u64 = 32 << 20;

#[test]
fn a_frame_of_a_gibibyte_closes_its_connection_at_its_head() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(120));
        let good = Good::start(server.address);
        let mut sent_max = 0;
        for _ in 0..stress(GIANTS) {
            let mut stream = connect(server.address);
            stream.write_all(&(1_u32 << 30).to_be_bytes()).expect("new");
            let mut sent = 0;
            // 1. It sends until nobody takes any more.
            let error = loop {
                match stream.write(&[9; 64 << 10]) {
                    Ok(len) => sent += len,
                    Err(error) => break error,
                }
                assert!(sent < 1 << 30, "all of it was taken");
            };
            let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error}");
            sent_max = sent_max.max(sent);
        }
        good.is_served("after giant frames");
        settled_blocking("all are gone", || server.connections() <= 2);
        println!(
            "{mode}: {} giants, {} KiB taken at most",
            stress(GIANTS),
            sent_max >> 10
        );
        good.end();
        server.end(BYTES_MAX);
    }
}

#[test]
fn frames_without_end_from_clients_that_read_nothing_are_stopped_by_their_windows() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(120));
        let good = Good::start(server.address);
        let mut frame = vec![5; 4 + (64 << 10)];
        frame[..4].copy_from_slice(&(64_u32 << 10).to_be_bytes());
        // 1. Each sends until nothing goes any more: the server waits for room to answer.
        let floods: Vec<_> = (0..FLOODS)
            .map(|_| {
                let stream = connect(server.address);
                stream.set_nonblocking(true).expect("a socket can be");
                (stream, 0_u64, 0_usize)
            })
            .collect();
        let flooding = thread::spawn(move || {
            let mut floods = floods;
            let mut idle_rounds = 0;
            while idle_rounds < 200 {
                let mut wrote = false;
                for (stream, sent, place) in &mut floods {
                    while let Ok(len) = stream.write(&frame[*place..]) {
                        *sent += len as u64;
                        *place = (*place + len) % frame.len();
                        wrote = true;
                    }
                }
                idle_rounds = if wrote { 0 } else { idle_rounds + 1 };
                thread::sleep(Duration::from_millis(1));
            }
            floods
        });
        good.is_served("while floods come");
        let floods = flooding.join().expect("windows shut");
        good.is_served("while floods are held up");
        let sent = floods.iter().map(|(_, sent, _)| *sent).max();
        let sent = sent.expect("there are some");
        assert!(sent < FLOOD_BYTES, "the server takes without end");
        // 2. They go.
        drop(floods);
        settled_blocking("all are gone", || server.connections() <= 2);
        println!("{mode}: {FLOODS} floods, {} KiB at most", sent >> 10);
        good.end();
        server.end(BYTES_MAX);
    }
}
