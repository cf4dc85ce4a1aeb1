//! A disk that is slow on command, by the blkio controller of cgroup v1.
//!
//! Direct I/O that has reached the block layer cannot be cancelled, and under a throttle it stays
//! there as long as the test likes.

use std::fs;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

const BLKIO: &str = "/sys/fs/cgroup/blkio";
/// The file of a group that holds its limit, in bytes per second, for each disk.
const LIMIT: &str = "blkio.throttle.read_bps_device";

/// This process in a group of its own whose reads from one disk are throttled. Dropping it lifts
/// the throttle, moves the process back and removes the group.
#[derive(Debug)]
pub struct Throttle {
    group: PathBuf,
    device: String,
}

impl Throttle {
    /// Reads from the disk that holds `path` at `bytes_per_s`.
    ///
    /// # Errors
    ///
    /// There is no such controller, no disk behind the path, or no privilege: the text says
    /// which, and fits [`skip`](crate::skip).
    pub fn reads(path: &Path, bytes_per_s: u64) -> io::Result<Self> {
        let explain = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        let number = fs::metadata(path)?.st_dev();
        let (major, minor) = (libc::major(number), libc::minor(number));
        // A partition is throttled by its disk.
        let disk = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/../dev"))
            .unwrap_or_else(|_| format!("{major}:{minor}"));
        if !Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{} is on no disk (device {major}:{minor})", path.display()),
            ));
        }
        // Pages of the program itself, if reclaimed, would come from the slow disk.
        // SAFETY: it changes what may be paged out, and no memory.
        if unsafe { libc::mlockall(libc::MCL_CURRENT) } != 0 {
            return Err(explain("locking this program into memory")(
                io::Error::last_os_error(),
            ));
        }
        let group = group_of(std::process::id());
        fs::create_dir(&group)
            .map_err(explain("making a group of the cgroup v1 controller blkio"))?;
        let throttle = Self {
            group,
            device: disk.trim().to_owned(),
        };
        throttle
            .limit(bytes_per_s)
            .map_err(explain("setting the limit of a blkio group"))?;
        fs::write(
            throttle.group.join("cgroup.procs"),
            std::process::id().to_string(),
        )
        .map_err(explain("moving this process into a blkio group"))?;
        Ok(throttle)
    }

    /// Lifts what a process left behind that was killed under its throttle: reads that wait hold
    /// pages that others need.
    pub(crate) fn lift_after(process: u32) {
        let group = group_of(process);
        let Ok(limits) = fs::read_to_string(group.join(LIMIT)) else {
            return;
        };
        for device in limits.lines().filter_map(|line| line.split(' ').next()) {
            let _ = fs::write(group.join(LIMIT), format!("{device} 0"));
        }
        let _ = fs::remove_dir(group);
    }

    /// Sets the limit anew; 0 lifts it. What waits is released by the new one.
    ///
    /// # Errors
    ///
    /// That of writing the file.
    pub fn limit(&self, bytes_per_s: u64) -> io::Result<()> {
        let line = format!("{} {bytes_per_s}", self.device);
        fs::write(self.group.join(LIMIT), line)
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        let lifted = self.limit(0);
        // SAFETY: as for locking.
        unsafe { libc::munlockall() };
        let moved = fs::write(
            Path::new(BLKIO).join("cgroup.procs"),
            std::process::id().to_string(),
        );
        let removed = fs::remove_dir(&self.group);
        if let Err(error) = lifted.and(moved).and(removed) {
            eprintln!("{} is left behind: {error}", self.group.display());
        }
    }
}

fn group_of(process: u32) -> PathBuf {
    Path::new(BLKIO).join(format!("annulus-test-{process}"))
}
