//! How a file is to be opened.

#![forbid(unsafe_code)]

use std::fs::OpenOptions as StdOpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use annulus_ring::kernel::LastName;

use super::{File, blocking_at, on_ring, ring_path};
use crate::op::open_at::OpenAt;

/// How a file is to be opened: for what, and what becomes of one that is, or is not, there.
///
/// # Examples
///
/// ```no_run
/// use annulus::fs::OpenOptions;
///
/// # async fn example() -> std::io::Result<()> {
/// let log = OpenOptions::new().append(true).create(true).open("log").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Ring(Options),
    /// Made from the standard library's, which do not say what is in them: opened by them, on the
    /// blocking pool.
    Std(StdOpenOptions),
}

#[derive(Clone, Debug)]
struct Options {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    mode: u32,
    custom_flags: i32,
}

impl OpenOptions {
    /// Options with nothing set: not for reading, not for writing.
    pub fn new() -> OpenOptions {
        OpenOptions {
            how: How::Ring(Options {
                read: false,
                write: false,
                append: false,
                truncate: false,
                create: false,
                create_new: false,
                mode: 0o666,
                custom_flags: 0,
            }),
        }
    }

    /// To read from it.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.read = read,
            How::Std(options) => _ = options.read(read),
        }
        self
    }

    /// To write to it. What is there is overwritten, not cut off.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.write = write,
            How::Std(options) => _ = options.write(write),
        }
        self
    }

    /// To write to its end, wherever that is when a write runs.
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.append = append,
            How::Std(options) => _ = options.append(append),
        }
        self
    }

    /// Empties it; needs `write`.
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.truncate = truncate,
            How::Std(options) => _ = options.truncate(truncate),
        }
        self
    }

    /// Makes it if it is not there; needs `write` or `append`.
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.create = create,
            How::Std(options) => _ = options.create(create),
        }
        self
    }

    /// Makes it, and fails if it is there; `create` and `truncate` then say nothing.
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.create_new = create_new,
            How::Std(options) => _ = options.create_new(create_new),
        }
        self
    }

    /// The permission bits of a file that is made, less the umask; `0o666` unless set.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.mode = mode,
            How::Std(options) => _ = options.mode(mode),
        }
        self
    }

    /// Further flags of open(2), such as `O_DIRECT`; the access mode among them is ignored.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        match &mut self.how {
            How::Ring(options) => options.custom_flags = flags,
            How::Std(options) => _ = options.custom_flags(flags),
        }
        self
    }

    /// Opens a file with these options.
    ///
    /// # Errors
    ///
    /// As openat(2): NotFound, PermissionDenied, AlreadyExists, `EISDIR`, `EMFILE`; InvalidInput
    /// for options that contradict each other.
    ///
    /// # Cancel safety
    ///
    /// A descriptor that arrives after the future was dropped is closed; the file may have been
    /// made or emptied all the same.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        self.open_path(path.as_ref()).await
    }

    async fn open_path(&self, path: &Path) -> io::Result<File> {
        match &self.how {
            How::Ring(options) => {
                let open = OpenAt::new(ring_path(path)?, options.flags()?, options.mode);
                on_ring(open).await.map(File::from)
            }
            How::Std(options) => {
                let options = options.clone();
                let open = move |path: &Path| options.open(path);
                let opened = blocking_at(path, LastName::Made, open).await;
                opened.map(File::from_std)
            }
        }
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl From<StdOpenOptions> for OpenOptions {
    fn from(options: StdOpenOptions) -> OpenOptions {
        OpenOptions {
            how: How::Std(options),
        }
    }
}

impl Options {
    /// The flags for openat(2), by the same rules as the standard library's.
    fn flags(&self) -> io::Result<i32> {
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => os::O_RDONLY,
            (false, true, false) => os::O_WRONLY,
            (true, true, false) => os::O_RDWR,
            (false, _, true) => os::O_WRONLY | os::O_APPEND,
            (true, _, true) => os::O_RDWR | os::O_APPEND,
            (false, false, false) => return Err(invalid("neither read, write nor append is set")),
        };
        let makes = self.create || self.create_new;
        if !self.write && !self.append && (makes || self.truncate) {
            return Err(invalid("creating or truncating needs write"));
        }
        if self.append && self.truncate && !self.create_new {
            return Err(invalid("append and truncate contradict each other"));
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (_, _, true) => os::O_CREAT | os::O_EXCL,
            (false, false, false) => 0,
            (true, false, false) => os::O_CREAT,
            (false, true, false) => os::O_TRUNC,
            (true, true, false) => os::O_CREAT | os::O_TRUNC,
        };
        Ok(access | creation | (self.custom_flags & !os::O_ACCMODE))
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every combination of the six flags, against what the standard library does with them.
    #[test]
    fn the_flags_mean_what_they_mean_in_std() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let there = dir.path().join("there");
        let missing = dir.path().join("missing");
        for bits in 0..64u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            let mut ours = OpenOptions::new();
            ours.read(bit(0)).write(bit(1)).append(bit(2));
            ours.truncate(bit(3)).create(bit(4)).create_new(bit(5));
            let mut std = StdOpenOptions::new();
            std.read(bit(0)).write(bit(1)).append(bit(2));
            std.truncate(bit(3)).create(bit(4)).create_new(bit(5));
            let How::Ring(options) = &ours.how else {
                unreachable!("made by new")
            };

            for path in [&there, &missing] {
                std::fs::write(&there, "contents").expect("the file can be written");
                let _ = std::fs::remove_file(&missing);
                let by_std = std.open(path);
                match options.flags() {
                    Err(error) => assert_eq!(
                        by_std.map(drop).map_err(|e| e.kind()),
                        Err(error.kind()),
                        "{options:?}"
                    ),
                    Ok(flags) => {
                        if let Err(error) = &by_std {
                            assert_ne!(error.kind(), io::ErrorKind::InvalidInput, "{options:?}");
                        }
                        let creates = flags & os::O_CREAT != 0;
                        let fails = flags & os::O_EXCL != 0 && path == &there
                            || !creates && path == &missing;
                        assert_eq!(by_std.is_err(), fails, "{options:?}");
                        let emptied = flags & os::O_TRUNC != 0;
                        let len = std::fs::metadata(&there).expect("it is there").len();
                        assert_eq!(len == 0, emptied && path == &there, "{options:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn custom_flags_cannot_change_the_access_mode() {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(os::O_RDWR | os::O_DIRECT);
        let How::Ring(options) = options.how else {
            unreachable!("made by new")
        };
        assert_eq!(options.flags().expect("valid"), os::O_RDONLY | os::O_DIRECT);
    }

    #[test]
    fn the_debug_text_shows_what_is_set() {
        let text = format!("{:?}", OpenOptions::new().append(true).mode(0o644));
        assert!(
            text.contains("append: true") && text.contains("mode: 420"),
            "{text}"
        );
    }
}
