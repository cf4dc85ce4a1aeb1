//! Polling of network cards.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Mask, Napi, NapiTracking, Ring, RingConfig};

use super::{ring, ring_of, run, skip_newer};

const DYNAMIC: Napi = Napi {
    busy_poll_us: 50,
    prefer_busy_poll: true,
    tracking: NapiTracking::Dynamic,
};

/// What was set before `napi`; `None` where there is no polling of network cards.
fn register(ring: &Ring, napi: &Napi) -> Option<Napi> {
    match ring.register_napi(napi) {
        Ok(before) => Some(before),
        Err(errno) => {
            assert!(
                [Errno::EINVAL, Errno::EOPNOTSUPP].contains(&errno),
                "{errno:?}"
            );
            skip_newer("polling of network cards", errno);
            None
        }
    }
}

#[test]
fn what_was_set_before_is_told() {
    let ring = ring();
    let Some(before) = register(&ring, &DYNAMIC) else {
        return;
    };
    assert_eq!(before.busy_poll_us, 0);
    let other = Napi {
        busy_poll_us: 7,
        prefer_busy_poll: false,
        ..DYNAMIC
    };
    assert_eq!(ring.register_napi(&other), Ok(DYNAMIC));
    assert_eq!(ring.unregister_napi(), Ok(()));
    let before = ring.register_napi(&DYNAMIC).expect("registered");
    assert_eq!((before.busy_poll_us, before.prefer_busy_poll), (0, false));
    assert_eq!(ring.unregister_napi(), Ok(()));
    assert_eq!(ring.unregister_napi(), Ok(()), "nothing to do");
}

#[test]
fn queues_are_named_by_hand_where_tracking_is_static() {
    let ring = ring();
    let named = Napi {
        tracking: NapiTracking::Static,
        ..DYNAMIC
    };
    let Some(_) = register(&ring, &named) else {
        return;
    };
    // Any number in the range of ids will do, there need be no such queue.
    let id = 1 << 20;
    assert_eq!(ring.add_napi_id(id), Ok(()));
    assert_eq!(ring.add_napi_id(id), Err(Errno::EEXIST));
    assert_eq!(ring.add_napi_id(0), Err(Errno::EINVAL));
    assert_eq!(ring.remove_napi_id(id), Ok(()));
    assert_eq!(ring.remove_napi_id(id), Err(Errno::ENOENT));
    assert_eq!(ring.register_napi(&DYNAMIC), Ok(named));
    assert_eq!(ring.add_napi_id(id), Err(Errno::EINVAL), "found by itself");
    let inactive = Napi {
        tracking: NapiTracking::Inactive,
        ..DYNAMIC
    };
    assert_eq!(ring.register_napi(&inactive), Err(Errno::EINVAL));
}

#[test]
fn a_polling_ring_receives() {
    let mut ring = ring();
    let Some(_) = register(&ring, &DYNAMIC) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    let mut buf = [0; 16];
    for message in [&b"first"[..], b"the second"] {
        client.write_all(message).expect("sent");
        let start = buf.as_mut_ptr();
        let cqe = run(&mut ring, |sqe| {
            // SAFETY: `buf` stays until the completion, which `run` waits for.
            unsafe { sqe.prep_recv(server.as_raw_fd(), start, 16, 0) };
        });
        assert_eq!(&buf[..cqe.res() as usize], message);
    }
    assert_eq!(ring.unregister_napi(), Ok(()));
}

#[test]
fn a_ring_that_polls_devices_polls_no_network() {
    let ring = ring_of(RingConfig {
        iopoll: true,
        ..RingConfig::default()
    });
    assert_eq!(ring.register_napi(&DYNAMIC), Err(Errno::EINVAL));
}

#[test]
fn an_older_kernel_has_no_polling_of_network_cards() {
    let ring = ring_of(RingConfig {
        mask: Mask::V6_6,
        ..RingConfig::default()
    });
    assert_eq!(ring.register_napi(&DYNAMIC), Err(Errno::EINVAL));
    assert_eq!(ring.unregister_napi(), Err(Errno::EINVAL));
}
