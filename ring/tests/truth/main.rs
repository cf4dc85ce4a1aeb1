//! The simulated world tells of sockets and pipes what Linux does: the same steps on both, and
//! the same answers.

mod run;

use annulus_ring::Errno;

use run::Step::{
    Accept, Bind, Close, Connect, ConnectNowhere, DatagramPair, Error, Linger, Listen, Peek, Peer,
    Pipe, Poll, Read, Recv, Send, Shutdown, Tcp, Udp, Unix, UnixPair, Write,
};
use run::{Run, Step};

/// What a connected pair of TCP sockets takes: a listener `l`, its end `s`, the other end `c`.
const CONNECTED: [Step; 6] = [
    Tcp("l"),
    Bind("l"),
    Listen("l", 8),
    Tcp("c"),
    Connect("c", "l"),
    Accept("l", "s"),
];

/// What each step told.
fn told(mut run: Run, script: &[Step]) -> Vec<Result<usize, Errno>> {
    script.iter().map(|&step| run.step(step)).collect()
}

#[track_caller]
fn same(script: &[Step]) {
    let real = told(Run::real(), script);
    // A seed may give a stream a window of a few bytes: then a send is shorter than here.
    let whole = |told: &[Result<usize, Errno>]| {
        let mut steps = script.iter().zip(told);
        steps.all(|(step, told)| match (step, told) {
            (Send(_, len) | Write(_, len), Ok(sent)) => sent == len,
            _ => true,
        })
    };
    let simulated = (0..100)
        .map(|seed| told(Run::simulated(seed), script))
        .find(|told| whole(told))
        .expect("most windows are large");
    for ((step, real), simulated) in script.iter().zip(&real).zip(&simulated) {
        assert_eq!(
            simulated, real,
            "{step:?} tells the left, Linux the right: {script:?}"
        );
    }
}

/// The steps after those that connect.
#[track_caller]
fn same_connected(script: &[Step]) {
    same(&[&CONNECTED, script].concat());
}

#[test]
fn a_fresh_socket() {
    same(&[
        Tcp("c"),
        Poll("c"),
        Send("c", 1),
        Recv("c", 1),
        Shutdown("c", libc::SHUT_WR),
    ]);
    same(&[
        Tcp("c"),
        Error("c"),
        Peer("c"),
        Accept("c", "s"),
        Connect("c", "c"),
    ]);
    same(&[Unix("c"), Poll("c"), Send("c", 1), Recv("c", 1), Peer("c")]);
}

#[test]
fn a_listener() {
    same(&[
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Poll("l"),
        Accept("l", "s"),
        Send("l", 1),
    ]);
    same(&[
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Recv("l", 1),
        Error("l"),
        Peer("l"),
    ]);
    same(&[Tcp("l"), Listen("l", 8), Listen("l", 9), Bind("l")]);
    same(&[Tcp("l"), Bind("l"), Bind("l"), Accept("l", "s")]);
    same(&[
        Unix("l"),
        Listen("l", 8),
        Bind("l"),
        Listen("l", 8),
        Poll("l"),
    ]);
    let shut = [Shutdown("l", libc::SHUT_RD), Poll("l"), Accept("l", "s")];
    same(&[&[Tcp("l"), Bind("l"), Listen("l", 8)][..], &shut].concat());
}

#[test]
fn a_connection_that_is_made() {
    let knock = [
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Tcp("c"),
        Connect("c", "l"),
    ];
    let rest = [
        Poll("l"),
        Poll("c"),
        Error("c"),
        Connect("c", "l"),
        Accept("l", "s"),
    ];
    same(&[&knock[..], &rest].concat());
    same_connected(&[
        Poll("c"),
        Poll("s"),
        Poll("l"),
        Recv("c", 1),
        Peer("c"),
        Peer("s"),
    ]);
    same_connected(&[
        Send("c", 5),
        Poll("s"),
        Peek("s", 3),
        Recv("s", 3),
        Poll("s"),
        Recv("s", 9),
    ]);
    same_connected(&[
        Recv("s", 9),
        Connect("c", "l"),
        Accept("l", "t"),
        Listen("c", 1),
    ]);
    same_connected(&[
        Send("c", 0),
        Recv("s", 0),
        Send("s", 2),
        Recv("c", 0),
        Recv("c", 2),
    ]);
}

#[test]
fn a_connection_to_nowhere() {
    let connect = [Tcp("c"), ConnectNowhere("c"), Poll("c")];
    same(&[&connect[..], &[Error("c"), Poll("c"), Error("c")]].concat());
    same(&[&connect[..], &[Recv("c", 1), Recv("c", 1), Send("c", 1)]].concat());
    same(&[&connect[..], &[Send("c", 1), Send("c", 1), Recv("c", 1)]].concat());
    same(&[&connect[..], &[Peer("c"), Shutdown("c", libc::SHUT_WR)]].concat());
}

#[test]
fn an_end_that_is_shut() {
    let shut = Shutdown("c", libc::SHUT_WR);
    same_connected(&[
        Send("c", 3),
        shut,
        Poll("s"),
        Poll("c"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        shut,
        Poll("c"),
        Send("c", 1),
        Send("s", 2),
        Recv("c", 9),
        Poll("s"),
    ]);
    same_connected(&[
        shut,
        Shutdown("s", libc::SHUT_WR),
        Poll("c"),
        Poll("s"),
        shut,
    ]);
    same_connected(&[
        shut,
        Shutdown("s", libc::SHUT_WR),
        Recv("c", 1),
        Send("c", 1),
        Peer("c"),
    ]);
    let deaf = Shutdown("c", libc::SHUT_RD);
    same_connected(&[deaf, Poll("c"), Recv("c", 1), Poll("s"), Send("s", 2)]);
    same_connected(&[
        Shutdown("c", libc::SHUT_RDWR),
        Poll("c"),
        Poll("s"),
        Recv("c", 1),
    ]);
}

#[test]
fn an_end_that_is_closed() {
    same_connected(&[Close("c"), Poll("s"), Recv("s", 1), Recv("s", 1)]);
    same_connected(&[
        Close("c"),
        Send("s", 2),
        Poll("s"),
        Send("s", 2),
        Recv("s", 1),
    ]);
    same_connected(&[
        Close("c"),
        Send("s", 2),
        Error("s"),
        Poll("s"),
        Send("s", 2),
        Recv("s", 1),
    ]);
    same_connected(&[Close("c"), Send("s", 2), Recv("s", 1), Recv("s", 1)]);
    same_connected(&[
        Send("c", 4),
        Close("c"),
        Recv("s", 2),
        Poll("s"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        Close("c"),
        Shutdown("s", libc::SHUT_WR),
        Poll("s"),
        Error("s"),
    ]);
}

#[test]
fn a_connection_that_is_reset() {
    same_connected(&[
        Linger("c"),
        Close("c"),
        Poll("s"),
        Recv("s", 1),
        Recv("s", 1),
        Send("s", 1),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Error("s"),
        Poll("s"),
        Recv("s", 1),
        Send("s", 1),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Send("s", 1),
        Send("s", 1),
        Recv("s", 1),
    ]);
    same_connected(&[
        Send("s", 3),
        Close("c"),
        Poll("s"),
        Recv("s", 1),
        Recv("s", 1),
    ]);
    same_connected(&[
        Send("c", 3),
        Linger("c"),
        Close("c"),
        Poll("s"),
        Recv("s", 9),
        Recv("s", 9),
    ]);
    same_connected(&[
        Linger("c"),
        Close("c"),
        Peer("s"),
        Shutdown("s", libc::SHUT_WR),
    ]);
    same_connected(&[Close("l"), Send("c", 1), Recv("s", 1)]);
}

#[test]
fn a_listener_that_goes_resets_who_waits() {
    let knock = [
        Tcp("l"),
        Bind("l"),
        Listen("l", 8),
        Tcp("c"),
        Connect("c", "l"),
    ];
    same(
        &[
            &knock[..],
            &[Close("l"), Poll("c"), Recv("c", 1), Recv("c", 1)],
        ]
        .concat(),
    );
    same(
        &[
            &knock[..],
            &[Send("c", 3), Close("l"), Error("c"), Send("c", 1)],
        ]
        .concat(),
    );
}

#[test]
fn datagrams() {
    let named = [Udp("a"), Bind("a"), Udp("b"), Bind("b")];
    let with = |rest: &[Step]| same(&[&named, rest].concat());
    with(&[Poll("a"), Recv("a", 1), Send("a", 1), Peer("a")]);
    with(&[
        Connect("b", "a"),
        Send("b", 5),
        Poll("a"),
        Recv("a", 3),
        Recv("a", 3),
        Peer("b"),
    ]);
    with(&[
        Connect("b", "a"),
        Send("b", 0),
        Poll("a"),
        Recv("a", 3),
        Recv("a", 3),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Poll("b"),
        Recv("b", 1),
        Recv("b", 1),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Send("b", 1),
        Send("b", 1),
        Error("b"),
    ]);
    with(&[
        Connect("b", "a"),
        Close("a"),
        Send("b", 1),
        Error("b"),
        Poll("b"),
        Send("b", 70_000),
    ]);
    with(&[
        Listen("a", 1),
        Accept("a", "s"),
        Shutdown("a", libc::SHUT_RD),
    ]);
    with(&[
        Connect("a", "b"),
        Connect("b", "a"),
        Send("a", 1),
        Send("b", 2),
        Recv("a", 9),
    ]);
}

#[test]
fn unix_streams() {
    let pair = [UnixPair("a", "b")];
    let with = |rest: &[Step]| same(&[&pair, rest].concat());
    with(&[
        Poll("a"),
        Send("a", 3),
        Poll("b"),
        Recv("b", 2),
        Recv("b", 9),
        Recv("b", 9),
        Peer("a"),
    ]);
    with(&[
        Close("a"),
        Poll("b"),
        Recv("b", 1),
        Send("b", 1),
        Error("b"),
    ]);
    with(&[
        Send("a", 3),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Send("b", 3),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Shutdown("a", libc::SHUT_WR),
        Poll("b"),
        Poll("a"),
        Recv("b", 1),
        Send("b", 1),
    ]);
    with(&[Shutdown("a", libc::SHUT_WR), Send("a", 1), Recv("a", 1)]);
    with(&[
        Shutdown("a", libc::SHUT_RD),
        Poll("a"),
        Poll("b"),
        Recv("a", 1),
        Send("b", 1),
    ]);
    with(&[
        Shutdown("a", libc::SHUT_RDWR),
        Poll("a"),
        Poll("b"),
        Recv("b", 1),
        Send("b", 1),
    ]);
}

#[test]
fn unix_connections() {
    let knock = [
        Unix("l"),
        Bind("l"),
        Listen("l", 0),
        Unix("c"),
        Connect("c", "l"),
    ];
    let with = |rest: &[Step]| same(&[&knock, rest].concat());
    with(&[
        Poll("c"),
        Poll("l"),
        Accept("l", "s"),
        Poll("s"),
        Send("c", 2),
        Recv("s", 9),
    ]);
    with(&[
        Unix("d"),
        Connect("d", "l"),
        Accept("l", "s"),
        Connect("d", "l"),
    ]);
    with(&[
        Send("c", 2),
        Close("l"),
        Poll("c"),
        Recv("c", 1),
        Recv("c", 1),
        Send("c", 1),
    ]);
    with(&[
        Close("c"),
        Poll("l"),
        Accept("l", "s"),
        Poll("s"),
        Recv("s", 1),
    ]);
    same(&[
        Unix("l"),
        Bind("l"),
        Unix("c"),
        Connect("c", "l"),
        Poll("c"),
    ]);
}

#[test]
fn unix_datagrams() {
    let pair = [DatagramPair("a", "b")];
    let with = |rest: &[Step]| same(&[&pair, rest].concat());
    with(&[
        Poll("a"),
        Send("a", 5),
        Poll("b"),
        Recv("b", 3),
        Recv("b", 3),
    ]);
    with(&[
        Send("a", 5),
        Close("a"),
        Poll("b"),
        Recv("b", 9),
        Recv("b", 9),
        Send("b", 1),
    ]);
    with(&[
        Close("b"),
        Poll("a"),
        Send("a", 1),
        Send("a", 1),
        Recv("a", 1),
    ]);
}

#[test]
fn pipes() {
    let pipe = [Pipe("r", "w")];
    let with = |rest: &[Step]| same(&[&pipe, rest].concat());
    with(&[
        Poll("r"),
        Poll("w"),
        Read("r", 1),
        Write("w", 3),
        Poll("r"),
        Read("r", 2),
        Read("r", 9),
    ]);
    with(&[
        Write("w", 3),
        Close("w"),
        Poll("r"),
        Read("r", 9),
        Poll("r"),
        Read("r", 9),
    ]);
    with(&[Close("r"), Poll("w"), Write("w", 1)]);
    with(&[Write("w", 3), Close("r"), Poll("w"), Write("w", 1)]);
    with(&[Read("w", 1), Write("r", 1)]);
}

#[test]
fn a_cancel_comes_too_late_for_a_poll_that_was_ready_and_in_time_for_a_standing_one() {
    // As io_uring of 6.18, to which the emulation is compared.
    let results = Run::simulated(1).cancelled_polls();
    let cancelled = [Err(Errno::ECANCELED), Ok(0)];
    let ready = [Ok(libc::POLLOUT as u32), Err(Errno::ENOENT)];
    assert_eq!(results, [ready, cancelled, cancelled]);
}
