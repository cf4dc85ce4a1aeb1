//! Copies a file with many reads and writes in flight, on owned buffers.
//!
//! Run: `cargo run --release -p annulus-examples --example cp -- [--direct] SOURCE DEST`
//!
//! One sees: a progress bar, and then `copied 1073741824 bytes in 0.9 s`. DEST
//! gets SOURCE's mode. `--direct` goes past the page cache (O_DIRECT). Ctrl-C in
//! the middle removes the partial copy and ends with status 130; so does an
//! error, with status 1.
//!
//! Each of 16 workers takes the next chunk of the source, reads it into its own
//! buffer, and writes it at the same offset of the copy:
//!
//! ```text
//! source  |  0  |  1  |  2  |  3  |  4  |  5  ..      next = 3
//!            |     |     |
//!         worker worker worker
//!            |     |     |
//! copy    |  0  |  1  |  2  |
//! ```
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{Metadata, Permissions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use annulus::fs::{self, File, OpenOptions};
use annulus::signal::unix::{SignalKind, signal};
use annulus::uring::{IoBufMut, Slice, read_at, write_at};
use futures::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use lexopt::prelude::*;

const USAGE: &str = "usage: cp [--direct] SOURCE DEST";
const WORKERS: usize = 16;
const CHUNK_BYTES: usize = 512 * 1024;
/// What offsets, lengths and addresses of direct I/O are multiples of: enough
/// for every device whose logical blocks are no larger than a page.
const BLOCK_BYTES: usize = 4096;

#[annulus::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = match Args::parse(lexopt::Parser::from_env()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("cp: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    match run(&args).await {
        Ok(Some(bytes)) => {
            let seconds = started.elapsed().as_secs_f64();
            println!("copied {bytes} bytes in {seconds:.1} s");
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::from(130),
        Err(error) => {
            eprintln!("cp: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Args {
    direct: bool,
    source: PathBuf,
    dest: PathBuf,
}

impl Args {
    /// `None` where only help was asked for.
    fn parse(mut args: lexopt::Parser) -> Result<Option<Args>, lexopt::Error> {
        let mut direct = false;
        let mut paths: Vec<OsString> = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Long("direct") => direct = true,
                Short('h') | Long("help") => return Ok(None),
                Value(path) if paths.len() < 2 => paths.push(path),
                _ => return Err(arg.unexpected()),
            }
        }
        match <[OsString; 2]>::try_from(paths) {
            Ok([source, dest]) => Ok(Some(Args {
                direct,
                source: source.into(),
                dest: dest.into(),
            })),
            Err(_) => Err("SOURCE and DEST are needed".into()),
        }
    }

    fn opening(&self, path: &Path, error: io::Error) -> String {
        if self.direct && error.kind() == io::ErrorKind::InvalidInput {
            return about(
                path,
                "no direct I/O on this file system, leave out --direct",
            );
        }
        about(path, error)
    }
}

/// The number of bytes copied, or `None` after Ctrl-C.
async fn run(args: &Args) -> Result<Option<u64>, String> {
    let (reader, metadata) = open_source(args).await?;
    let mut ctrl_c = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let writer = create_dest(args, &metadata).await?;

    let copy = Copy::new(args, &reader, &writer, metadata.len());
    let result = annulus::select! {
        result = copy.run() => result.map(Some),
        _ = ctrl_c.recv() => Ok(None),
    };
    copy.bar.finish_and_clear();
    match result {
        Ok(Some(_)) => {
            // Again, and this time not less the umask.
            let mode = Permissions::from_mode(metadata.mode() & 0o777);
            let set = fs::set_permissions(&args.dest, mode).await;
            set.map_err(|error| about(&args.dest, error))?;
        }
        Ok(None) | Err(_) => match fs::remove_file(&args.dest).await {
            Ok(()) => eprintln!("cp: {}: partial copy removed", args.dest.display()),
            Err(error) => {
                let bytes = copy.copied.get();
                eprintln!(
                    "cp: {}: partial copy of {bytes} bytes is left: {error}",
                    args.dest.display()
                );
            }
        },
    }
    result
}

async fn open_source(args: &Args) -> Result<(File, Metadata), String> {
    let about_source = |error: io::Error| about(&args.source, error);
    let opened = options(args).read(true).open(&args.source).await;
    let reader = opened.map_err(|error| args.opening(&args.source, error))?;
    let metadata = reader.metadata().await.map_err(about_source)?;
    if metadata.is_file() {
        Ok((reader, metadata))
    } else {
        Err(about(&args.source, "not a regular file"))
    }
}

/// Creates the copy, unless that would destroy the source or what is no file.
async fn create_dest(args: &Args, source: &Metadata) -> Result<File, String> {
    if let Ok(old) = fs::metadata(&args.dest).await {
        if !old.is_file() {
            return Err(about(&args.dest, "exists and is not a regular file"));
        }
        if (old.dev(), old.ino()) == (source.dev(), source.ino()) {
            let source = args.source.display();
            return Err(about(&args.dest, format!("is the same file as {source}")));
        }
    }
    let mut options = options(args);
    options.write(true).create(true).truncate(true);
    let created = options.mode(source.mode() & 0o777).open(&args.dest).await;
    created.map_err(|error| args.opening(&args.dest, error))
}

fn options(args: &Args) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(if args.direct { libc::O_DIRECT } else { 0 });
    options
}

/// What the workers share. They run in one task, so cells do.
struct Copy<'a> {
    args: &'a Args,
    reader: &'a File,
    writer: &'a File,
    /// The source's length when it was opened. 0 for files of /proc and /sys
    /// too, whose end only a read can find.
    len: u64,
    /// 1, or what direct I/O is aligned to.
    block: usize,
    /// Where the next free worker begins.
    next: Cell<u64>,
    copied: Cell<u64>,
    bar: ProgressBar,
}

impl<'a> Copy<'a> {
    fn new(args: &'a Args, reader: &'a File, writer: &'a File, len: u64) -> Copy<'a> {
        let style = "{bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
        let style = ProgressStyle::with_template(style).expect("the template is right");
        Copy {
            args,
            reader,
            writer,
            len,
            block: if args.direct { BLOCK_BYTES } else { 1 },
            next: Cell::new(0),
            copied: Cell::new(0),
            bar: ProgressBar::new(len).with_style(style),
        }
    }

    async fn run(&self) -> Result<u64, String> {
        let workers = if self.len == 0 { 1 } else { WORKERS };
        try_join_all((0..workers).map(|_| self.work())).await?;
        // Direct writes are whole blocks: this cuts off what filled the last one.
        let copied = self.copied.get();
        self.writer
            .set_len(copied)
            .await
            .map_err(|error| about(&self.args.dest, error))?;
        Ok(copied)
    }

    async fn work(&self) -> Result<(), String> {
        let mut buf = Buffer::new();
        loop {
            let offset = self.next.get();
            let left = if self.len == 0 {
                u64::MAX
            } else {
                self.len.saturating_sub(offset)
            };
            let wanted = CHUNK_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
            if wanted == 0 {
                return Ok(());
            }
            self.next.set(offset + wanted as u64);

            let read = self.read(&mut buf, offset, wanted).await;
            let read = read.map_err(|error| about(&self.args.source, error))?;
            let write = self.write(&mut buf, offset, read).await;
            write.map_err(|error| about(&self.args.dest, error))?;
            self.copied.set(self.copied.get() + read as u64);
            self.bar.inc(read as u64);

            if read < wanted && self.len == 0 {
                return Ok(());
            } else if read < wanted {
                return Err(about(
                    &self.args.source,
                    "became shorter while it was copied",
                ));
            }
        }
    }

    /// Reads `wanted` bytes into the buffer, fewer only where the file ends.
    async fn read(&self, buffer: &mut Buffer, offset: u64, wanted: usize) -> io::Result<usize> {
        let end = wanted.next_multiple_of(self.block);
        let mut read = 0;
        // A direct read that stops within a block has met the end of the file.
        while read < wanted && read.is_multiple_of(self.block) {
            let part = buffer.lend(read..end);
            let (result, part) = read_at(self.reader, part, offset + read as u64).await;
            buffer.take_back(part);
            match result? {
                0 => break,
                bytes => read += bytes,
            }
        }
        Ok(read.min(wanted))
    }

    /// Writes the first `len` bytes of the buffer, and what it takes to fill the
    /// last block.
    async fn write(&self, buffer: &mut Buffer, offset: u64, len: usize) -> io::Result<()> {
        let end = len.next_multiple_of(self.block);
        let mut written = 0;
        while written < end {
            let part = buffer.lend(written..end);
            let (result, part) = write_at(self.writer, part, offset + written as u64).await;
            buffer.take_back(part);
            // What fills a part of a block is written again with its block.
            match result? / self.block * self.block {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                bytes => written += bytes,
            }
        }
        Ok(())
    }
}

/// Room for one chunk, which begins where direct I/O wants it.
struct Buffer {
    bytes: Vec<u8>,
    begin: usize,
}

impl Buffer {
    fn new() -> Buffer {
        let bytes = vec![0; CHUNK_BYTES + BLOCK_BYTES];
        let begin = bytes.as_ptr().align_offset(BLOCK_BYTES);
        Buffer { bytes, begin }
    }

    /// A part of the chunk, to be owned by an operation.
    fn lend(&mut self, part: Range<usize>) -> Slice<Vec<u8>> {
        let bytes = std::mem::take(&mut self.bytes);
        bytes.slice_mut(self.begin + part.start..self.begin + part.end)
    }

    fn take_back(&mut self, part: Slice<Vec<u8>>) {
        self.bytes = part.into_inner();
    }
}

fn about(path: &Path, error: impl Display) -> String {
    format!("{}: {error}", path.display())
}
