//! Clients that break off: resets, and peers that vanish without a word.

use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use annulus_tests::{settled_blocking, skip, stress};

use crate::good::{Good, connect};
use crate::server::{ENDLESS, MODES, Server};

/// Resets of a full run.
const RESETS: u64 = 50_000;
/// Peers of a full run that vanish.
const VANISHED: u64 = 2000;
/// What the server may need.
const BYTES_MAX: u64 = 48 << 20;

fn option(stream: &TcpStream, level: i32, name: i32, value: &impl Sized) -> std::io::Result<()> {
    // SAFETY: the value lives across the call, and is as long as said.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of_val(value) as libc::socklen_t,
        )
    };
    match set {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Closing it resets the connection.
fn reset(stream: TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    option(&stream, libc::SOL_SOCKET, libc::SO_LINGER, &linger).expect("TCP can linger");
}

#[test]
fn a_storm_of_resets_leaves_nothing_behind() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(120));
        let good = Good::start(server.address);
        for index in 0..stress(RESETS) {
            let mut stream = connect(server.address);
            // Before a word, in the middle of a frame, after a frame, and while an answer comes.
            let said: &[u8] = match index % 4 {
                0 => &[],
                1 => &[0, 0, 1, 0, 1, 2],
                2 => &[0, 0, 0, 1, 9],
                _ => &ENDLESS.to_be_bytes(),
            };
            stream.write_all(said).expect("it has just connected");
            reset(stream);
        }
        good.is_served("after the storm");
        settled_blocking("all are gone", || server.connections() <= 2);
        println!("{mode}: {} resets", stress(RESETS));
        good.end();
        server.end(BYTES_MAX);
    }
}

#[test]
fn peers_that_vanish_without_a_word_are_cut_by_the_idle_time() {
    for mode in MODES {
        let server = Server::start(mode, Duration::from_secs(2));
        let good = Good::start(server.address);
        for index in 0..stress(VANISHED) {
            let mut stream = connect(server.address);
            let said: &[u8] = if index % 2 == 0 { &[] } else { &[0, 0, 1] };
            stream.write_all(said).expect("it has just connected");
            // A socket under repair closes without FIN and without reset.
            let on: libc::c_int = 1;
            if let Err(error) = option(&stream, libc::IPPROTO_TCP, libc::TCP_REPAIR, &on) {
                good.end();
                return skip(&format!("TCP_REPAIR needs CAP_NET_ADMIN: {error}"));
            }
        }
        good.is_served("while half of a connection is there");
        settled_blocking("all are cut", || server.connections() <= 2);
        println!("{mode}: {} peers vanished", stress(VANISHED));
        good.end();
        server.end(BYTES_MAX);
    }
}
