//! Memory that a scenario lends is watched in every one of them, under their own allocator.

use std::sync::Mutex;
use std::time::Duration;

use annulus::net::UnixStream;
use annulus::sim::{Fault, Faults, Sim};
use annulus::time::sleep;
use annulus::uring;
use annulus_tests::Shared;

#[test]
fn memory_that_is_freed_before_its_notification_is_caught() {
    static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    *BYTES.lock().unwrap() = vec![7; 1000];
    let mut sim = Sim::new(4);
    let mut faults = Faults::none();
    faults.set(Fault::LateNotification, 1000);
    sim.faults(faults);
    sim.client("client", async {
        let (near, _far) = UnixStream::pair()?;
        let lent = Shared::of(&mut BYTES.lock().unwrap());
        // The result is there, the notification is not.
        let (sent, _buf) = uring::send_zc(&near, lent).await;
        assert_eq!(sent?, 1000);
        drop(std::mem::take(&mut *BYTES.lock().unwrap()));
        sleep(Duration::from_millis(100)).await;
        Ok(())
    });
    let text = sim.run().expect_err("it is caught").to_string();
    assert!(
        text.contains("freed while it was lent to SEND_ZC"),
        "{text}"
    );
}
