//! Messages that a multishot `recvmsg` received, taken apart.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use annulus_ring::{BufGroup, BufRingConfig, RECVMSG_HEADER_BYTES, ReceivedMsg, Ring, RingConfig};
use proptest::prelude::{any, prop_assert, proptest};

use super::{GROUP, take, wait};

const NAME_ROOM: usize = 128;
const CONTROL_ROOM: usize = 64;
const PAYLOAD_ROOM: usize = 100;

#[test]
fn datagrams_arrive_with_their_sender_and_long_ones_are_cut() {
    let mut ring: Ring = Ring::new(&RingConfig::default()).expect("a ring");
    let size_bytes = RECVMSG_HEADER_BYTES as usize + NAME_ROOM + CONTROL_ROOM + PAYLOAD_ROOM;
    let config = BufRingConfig::new(GROUP, 4, size_bytes as u32);
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("bound"));
    let to = theirs.local_addr().expect("bound");
    socket2::SockRef::from(&theirs)
        .set_recv_tos_v4(true)
        .expect("set");
    // SAFETY: a zeroed `msghdr` is valid; only the sizes of its rooms are read.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_namelen = NAME_ROOM as u32;
    message.msg_controllen = CONTROL_ROOM as _;
    let sqe = ring.get_sqe().expect("room");
    let pointer = (&raw mut message).cast();
    // SAFETY: the message stays until the last completion below.
    unsafe { group.recvmsg_multishot(sqe, theirs.as_raw_fd(), pointer, 0) }
        .expect("prepared")
        .set_user_data(1);
    ring.submit().expect("submitted");
    for len in [1, 50, PAYLOAD_ROOM, PAYLOAD_ROOM + 1, 1000, 0] {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        ours.send_to(&payload, to).expect("sent");
        let cqe = wait(&mut ring);
        assert_eq!(cqe.more(), len != 0, "one without payload ends it");
        let selected = take(&mut group, &cqe).1.expect("a buffer");
        let got = ReceivedMsg::parse(&selected, NAME_ROOM, CONTROL_ROOM).expect("whole");
        assert_eq!(got.payload(), &payload[..len.min(PAYLOAD_ROOM)]);
        assert_eq!(got.is_truncated(), len > PAYLOAD_ROOM, "{len}: {got:?}");
        let port = ours.local_addr().expect("bound").port();
        assert_eq!(got.name()[2..4], port.to_be_bytes(), "the sender's port");
        assert_eq!(got.name().len(), size_of::<libc::sockaddr_in>());
        assert!(!got.control().is_empty(), "the type of service");
        assert_eq!(got.flags() & libc::MSG_CTRUNC as u32, 0);
        assert_eq!(got.header().namelen as usize, got.name().len());
        group.put(selected);
    }
    assert_eq!(group.under_way(), 0);
}

proptest! {
    #[test]
    fn no_bytes_are_taken_apart_beyond_their_ends(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        name_room in 0..100_usize,
        control_room in 0..100_usize,
    ) {
        let least = RECVMSG_HEADER_BYTES as usize + name_room + control_room;
        let parsed = ReceivedMsg::parse(&bytes, name_room, control_room);
        prop_assert!(parsed.is_some() == (bytes.len() >= least));
        if let Some(message) = parsed {
            prop_assert!(message.name().len() <= name_room);
            prop_assert!(message.control().len() <= control_room);
            prop_assert!(message.payload().len() <= bytes.len() - least);
        }
    }

    #[test]
    fn any_sizes_are_refused_or_fit(room in any::<usize>()) {
        prop_assert!(ReceivedMsg::parse(&[0; 20], room, room).is_none() || room <= 2);
    }
}
