//! Worker threads: where they run, and how many there are.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use annulus_ring::{Errno, Ring, SqeFlags, WorkersMax};

use super::{FAR, next, queue, ring, run};

/// A named pipe, removed when dropped: to open one end blocks until the other is opened.
struct Fifo(PathBuf, CString);

impl Fifo {
    fn new(name: &str) -> Fifo {
        let name = format!("annulus-ring-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let c_path = CString::new(path.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the path ends in a NUL.
        assert_eq!(unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) }, 0);
        Fifo(path, c_path)
    }

    /// Queues an open of the reading end, which blocks a worker.
    fn queue_open(&self, ring: &mut Ring, user_data: u64) {
        queue(ring, |sqe| {
            let path = self.1.as_ptr();
            // SAFETY: the path stays until the test has seen the completion.
            let sqe = unsafe { sqe.prep_openat(libc::AT_FDCWD, path, libc::O_RDONLY, 0) };
            sqe.set_flags(SqeFlags::ASYNC).set_user_data(user_data);
        });
    }

    /// Opens the writing end: waits until a worker is in the open of the other.
    fn open(&self) -> File {
        OpenOptions::new()
            .write(true)
            .open(&self.0)
            .expect("opened")
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The next completion's user data; its descriptor is closed.
fn opened(ring: &mut Ring) -> u64 {
    let cqe = next(ring);
    let fd = cqe.result().expect("opened") as i32;
    // SAFETY: just made, and nobody else's.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    cqe.user_data()
}

fn thread_id() -> libc::pid_t {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// The `/proc` folders of a thread's workers.
fn workers_of(thread: libc::pid_t) -> Vec<PathBuf> {
    let name = format!("iou-wrk-{thread}");
    let tasks = fs::read_dir("/proc/self/task").expect("the threads of this process");
    let folders = tasks.map(|task| task.expect("an entry").path());
    folders
        .filter(|folder| {
            let comm = fs::read_to_string(folder.join("comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        })
        .collect()
}

/// The processors that a thread may run on, as the kernel prints them.
fn cpus(folder: &Path) -> String {
    let status = fs::read_to_string(folder.join("status")).expect("it is there");
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list:"));
    let (_, cpus) = line
        .expect("in every status")
        .split_once('\t')
        .expect("a tab");
    cpus.to_owned()
}

/// Lets a worker do something, so that there is one.
fn employ(ring: &mut Ring) {
    let cqe = run(ring, |sqe| {
        sqe.prep_nop().set_flags(SqeFlags::ASYNC);
    });
    assert_eq!(cqe.res(), 0);
}

/// The first processor that the calling thread may use.
fn first_cpu() -> usize {
    let allowed = cpus(Path::new("/proc/thread-self"));
    let first = allowed.split([',', '-']).next().expect("at least one");
    first.parse().expect("a number")
}

#[test]
fn workers_start_on_their_processors() {
    let mut ring = ring();
    let first = first_cpu();
    ring.set_worker_cpus(&[first]).expect("set");
    employ(&mut ring);
    let there = workers_of(thread_id());
    assert!(!there.is_empty());
    for worker in &there {
        assert_eq!(cpus(worker), first.to_string());
    }
    assert_eq!(ring.clear_worker_cpus(), Ok(()));
    // No processor, and one that no set can name.
    for cpus in [&[][..], &[8192], &[first, usize::MAX]] {
        assert_eq!(ring.set_worker_cpus(cpus), Err(Errno::EINVAL), "{cpus:?}");
    }
}

#[test]
fn limits_are_told_and_zero_leaves_them() {
    let ring = ring();
    let set = |bounded, unbounded| ring.set_workers_max(WorkersMax { bounded, unbounded });
    let keep = WorkersMax::default();
    let first = set(0, 0).expect("asked");
    assert!(first.bounded > 0 && first.unbounded > 0);
    assert_eq!(set(3, 0), Ok(first));
    let (bounded, unbounded) = (3, first.unbounded);
    assert_eq!(set(0, 5), Ok(WorkersMax { bounded, unbounded }));
    let unbounded = 5;
    assert_eq!(
        ring.set_workers_max(keep),
        Ok(WorkersMax { bounded, unbounded })
    );
    assert_eq!(set(1 << 31, 0), Err(Errno::EINVAL));
    assert_eq!(set(0, 1 << 31), Err(Errno::EINVAL));
}

#[test]
fn two_workers_wait_for_two_files() {
    let mut ring = ring();
    let max = WorkersMax {
        bounded: 2,
        unbounded: 1,
    };
    ring.set_workers_max(max).expect("set");
    let (one, two) = (Fifo::new("two-one"), Fifo::new("two-two"));
    one.queue_open(&mut ring, 1);
    two.queue_open(&mut ring, 2);
    ring.submit().expect("submitted");
    // The second's open goes through while the first's still waits.
    let second = two.open();
    assert_eq!(opened(&mut ring), 2);
    let first = one.open();
    assert_eq!(opened(&mut ring), 1);
    drop((first, second));
}

#[test]
fn one_worker_takes_turns() {
    let mut ring = ring();
    let max = WorkersMax {
        bounded: 1,
        unbounded: 1,
    };
    ring.set_workers_max(max).expect("set");
    let fifos = [0, 1, 2, 3].map(|n| Fifo::new(&format!("turns-{n}")));
    for (n, fifo) in (0..).zip(&fifos) {
        fifo.queue_open(&mut ring, n);
    }
    ring.submit().expect("submitted");
    for (n, fifo) in (0..).zip(&fifos) {
        let _writer = fifo.open();
        assert_eq!(opened(&mut ring), n);
        assert_eq!(workers_of(thread_id()).len(), 1);
    }
}

/// Looks until the workers of a thread that has ended are gone.
fn wait_until_gone(thread: libc::pid_t) {
    let start = Instant::now();
    while !workers_of(thread).is_empty() {
        assert!(start.elapsed() < FAR, "they stay");
        thread::yield_now();
    }
}

#[test]
fn workers_end_with_the_thread_they_work_for() {
    let (tid, ring) = thread::spawn(|| {
        let mut ring = ring();
        employ(&mut ring);
        assert!(!workers_of(thread_id()).is_empty());
        (thread_id(), ring)
    })
    .join()
    .expect("no panic");
    // The ring lives on, but its workers were the thread's.
    wait_until_gone(tid);
    let mut ring = ring;
    employ(&mut ring);
    assert!(
        !workers_of(thread_id()).is_empty(),
        "this thread has its own"
    );
}
