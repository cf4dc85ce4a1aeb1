//! The world alone, without a ring.

use std::net::SocketAddr;
use std::vec::Vec;

use super::address::{Address, Name};
use super::faults::{Fault, Faults};
use super::network::{HostId, Network};
use super::sockets::Kind;
use super::world::{Id, World};
use crate::Errno;

const DESCRIPTORS_MAX: usize = 100;

/// Two hosts, and a seed's world around them.
fn world(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed, Network::default(), Faults::none());
    let one = world.wires.add("one", DESCRIPTORS_MAX);
    let other = world.wires.add("other", DESCRIPTORS_MAX);
    (world, one, other)
}

fn inet(text: &str) -> Address {
    Address::Inet(text.parse::<SocketAddr>().expect("an address"))
}

fn listener(world: &mut World, host: HostId, at: &str) -> Id {
    let id = world
        .socket(host, libc::AF_INET, Kind::Stream)
        .expect("made");
    world.bind(id, &inet(at)).expect("bound");
    world.listen(id, 8).expect("listening");
    id
}

/// Lets everything happen that happens by itself.
fn settle(world: &mut World) {
    while let Some(at_ns) = world.next_ns() {
        world.advance_to(at_ns);
    }
}

fn connected(world: &mut World, one: HostId, other: HostId) -> (Id, Id) {
    let listener = listener(world, one, "0.0.0.0:80");
    let client = world
        .socket(other, libc::AF_INET, Kind::Stream)
        .expect("made");
    let to = inet("10.0.0.1:80");
    assert_eq!(world.connect(client, &to), Err(Errno::EINPROGRESS));
    settle(world);
    let (server, from) = world.accept(listener).expect("it has come");
    assert_eq!(Some(&from), world.objects[&client].address.as_ref());
    world.close(listener);
    (client, server)
}

fn read(world: &mut World, id: Id, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    world.recv(id, len, false, |part| bytes.extend_from_slice(part))?;
    Ok(bytes)
}

#[test]
fn a_stream_carries_bytes_in_order_and_then_its_end() {
    for seed in 0..200 {
        let (mut world, one, other) = world(seed);
        let (client, server) = connected(&mut world, one, other);
        let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let (mut left, mut got) = (&sent[..], Vec::new());
        while got.len() < sent.len() {
            match world.send(client, left, None) {
                Ok(len) => left = &left[len..],
                Err(errno) => assert_eq!(errno, Errno::EAGAIN),
            }
            settle(&mut world);
            got.extend(read(&mut world, server, 700).expect("more to come"));
            settle(&mut world);
        }
        assert_eq!(got, sent);
        world.close(client);
        assert_eq!(read(&mut world, server, 1), Err(Errno::EAGAIN));
        settle(&mut world);
        assert_eq!(read(&mut world, server, 1), Ok(Vec::new()));
    }
}

#[test]
fn where_nobody_listens_a_connection_is_refused() {
    let (mut world, _, other) = world(0);
    let client = world
        .socket(other, libc::AF_INET, Kind::Stream)
        .expect("made");
    let to = inet("10.0.0.1:80");
    assert_eq!(world.connect(client, &to), Err(Errno::EINPROGRESS));
    settle(&mut world);
    assert_eq!(world.connect(client, &to), Err(Errno::ECONNREFUSED));
    let nowhere = inet("10.9.9.9:80");
    let client = world
        .socket(other, libc::AF_INET, Kind::Stream)
        .expect("made");
    assert_eq!(world.connect(client, &nowhere), Err(Errno::ENETUNREACH));
}

#[test]
fn a_close_with_unread_bytes_resets_the_other_end() {
    let (mut world, one, other) = world(0);
    let (client, server) = connected(&mut world, one, other);
    assert_eq!(world.send(client, b"unread", None), Ok(6));
    settle(&mut world);
    world.close(server);
    settle(&mut world);
    assert_eq!(read(&mut world, client, 1), Err(Errno::ECONNRESET));
    assert_eq!(read(&mut world, client, 1), Ok(Vec::new()));
}

#[test]
fn bytes_wait_for_a_wire_and_come_when_it_is_mended() {
    let (mut world, one, other) = world(3);
    let (client, server) = connected(&mut world, one, other);
    world.wires.set_cut(one, other, true);
    assert_eq!(world.send(client, b"late", None), Ok(4));
    let soon = world.now_ns() + 1_000_000_000;
    world.advance_to(soon);
    assert_eq!(read(&mut world, server, 9), Err(Errno::EAGAIN));
    world.wires.set_cut(one, other, false);
    world.retransmit();
    world.advance_to(soon + 1_000_000_000);
    assert_eq!(read(&mut world, server, 9).expect("mended"), b"late");
}

#[test]
fn a_wire_that_stays_cut_times_the_sender_out() {
    let (mut world, one, other) = world(3);
    let (client, _) = connected(&mut world, one, other);
    world.wires.set_cut(one, other, true);
    assert_eq!(world.send(client, b"lost", None), Ok(4));
    settle(&mut world);
    assert_eq!(world.send(client, b"more", None), Err(Errno::ETIMEDOUT));
    let client = world
        .socket(other, libc::AF_INET, Kind::Stream)
        .expect("made");
    let to = inet("10.0.0.1:80");
    assert_eq!(world.connect(client, &to), Err(Errno::EINPROGRESS));
    settle(&mut world);
    assert_eq!(world.connect(client, &to), Err(Errno::ETIMEDOUT));
}

#[test]
fn a_wire_that_was_mended_in_time_times_nobody_out_when_it_is_cut_again() {
    let (mut world, one, other) = world(3);
    let (client, server) = connected(&mut world, one, other);
    let begin_ns = world.now_ns();
    let at = |seconds: u64| begin_ns + seconds * 1_000_000_000;
    for (cut, mended, bytes) in [(0, 900, b"some"), (910, 950, b"more")] {
        world.advance_to(at(cut));
        world.wires.set_cut(one, other, true);
        assert_eq!(world.send(client, bytes, None), Ok(4));
        world.advance_to(at(mended));
        world.wires.set_cut(one, other, false);
        world.retransmit();
        world.advance_to(at(mended + 1));
        assert_eq!(read(&mut world, server, 9).as_deref(), Ok(&bytes[..]));
    }
    world.advance_to(at(952));
    assert_eq!(world.send(client, b"last", None), Ok(4));
}

#[test]
fn datagrams_are_lost_doubled_and_refused() {
    let (mut world, one, other) = world(5);
    world.wires.network.lost_per_mille = 300;
    world.wires.network.doubled_per_mille = 300;
    let receiver = world
        .socket(one, libc::AF_INET, Kind::Datagram)
        .expect("made");
    world.bind(receiver, &inet("0.0.0.0:53")).expect("bound");
    let sender = world
        .socket(other, libc::AF_INET, Kind::Datagram)
        .expect("made");
    let to = inet("10.0.0.1:53");
    let mut counts = [0; 3];
    for number in 0..100_u8 {
        assert_eq!(world.send(sender, &[number], Some(&to)), Ok(1));
        settle(&mut world);
        let mut copies = 0;
        while let Ok(bytes) = read(&mut world, receiver, 9) {
            assert_eq!(bytes, [number]);
            copies += 1;
        }
        counts[copies] += 1;
    }
    assert!(counts.iter().all(|&count| count > 5), "{counts:?}");
    let nobody = inet("10.0.0.1:54");
    world.wires.network.lost_per_mille = 0;
    world.connect(sender, &nobody).expect("named");
    assert_eq!(world.send(sender, b"x", None), Ok(1));
    settle(&mut world);
    assert_eq!(read(&mut world, sender, 9), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_unix_stream_connects_at_once_and_only_on_its_host() {
    let (mut world, one, other) = world(0);
    let path = Address::Unix(Name::Path(b"/run/it".to_vec()));
    let id = world
        .socket(one, libc::AF_UNIX, Kind::Stream)
        .expect("made");
    world.bind(id, &path).expect("bound");
    world.listen(id, 0).expect("listening");
    let client = world
        .socket(one, libc::AF_UNIX, Kind::Stream)
        .expect("made");
    assert_eq!(world.connect(client, &path), Ok(()));
    assert!(world.send(client, b"x", None).is_ok());
    let second = world
        .socket(one, libc::AF_UNIX, Kind::Stream)
        .expect("made");
    assert_eq!(world.connect(second, &path), Err(Errno::EAGAIN));
    let far = world
        .socket(other, libc::AF_UNIX, Kind::Stream)
        .expect("made");
    assert_eq!(world.connect(far, &path), Err(Errno::ENOENT));
    settle(&mut world);
    let (server, _) = world.accept(id).expect("it is there");
    assert_eq!(read(&mut world, server, 9).expect("sent"), b"x");
}

#[test]
fn a_port_is_taken_until_its_socket_is_closed() {
    let (mut world, one, _) = world(0);
    let first = listener(&mut world, one, "0.0.0.0:80");
    let second = world
        .socket(one, libc::AF_INET, Kind::Stream)
        .expect("made");
    assert_eq!(
        world.bind(second, &inet("10.0.0.1:80")),
        Err(Errno::EADDRINUSE)
    );
    world.hold(first);
    world.close(first);
    assert_eq!(
        world.bind(second, &inet("10.0.0.1:80")),
        Err(Errno::EADDRINUSE),
        "a request still holds it"
    );
    world.release(first);
    assert_eq!(world.bind(second, &inet("10.0.0.1:80")), Ok(()));
}

#[test]
fn a_host_has_so_many_descriptors_and_no_more() {
    let (mut world, one, _) = world(0);
    for _ in 0..DESCRIPTORS_MAX {
        world
            .socket(one, libc::AF_INET, Kind::Stream)
            .expect("made");
    }
    let refused = world.socket(one, libc::AF_INET, Kind::Stream);
    assert_eq!(refused, Err(Errno::EMFILE));
    world.close(Id(1));
    assert!(world.socket(one, libc::AF_INET, Kind::Stream).is_ok());
}

#[test]
fn faults_strike_as_often_as_they_are_set_and_are_counted() {
    let (mut world, one, other) = world(9);
    world.faults.set(Fault::ShortWrite, 500);
    let (client, _) = connected(&mut world, one, other);
    for _ in 0..100 {
        let _ = world.send(client, b"bytes", None);
    }
    let struck = world.faults.injected(Fault::ShortWrite);
    assert!((30..70).contains(&struck), "{struck}");
}

#[test]
fn a_seed_gives_one_world() {
    let run = |seed| {
        let (mut world, one, other) = world(seed);
        let (client, _) = connected(&mut world, one, other);
        (world.now_ns(), world.send(client, &[7; 100_000], None))
    };
    assert_eq!(run(11), run(11));
    assert!((0..20).any(|seed| run(seed) != run(11)));
}
