//! The work itself, compiled once for each runtime: their API is one.
#![forbid(unsafe_code)]

use std::io::{self, Read, SeekFrom, Write};
use std::time::Instant;

use super::runtime;
use runtime::fs::File;
use runtime::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use runtime::net::TcpListener;
use runtime::runtime::Builder;

use crate::{MESSAGE_BYTES, SPAN, work_clock_ns};

/// More than fits into any cache of a CPU.
const FILE_BYTES: u64 = 64 << 20;
const READ_BYTES: u64 = 4096;
/// Reads that are under way at once.
const READERS: u64 = 16;

pub(crate) fn run(work: &str, workers: usize) -> io::Result<()> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if workers > 1 {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build()?;
    match work {
        "echo" => runtime.block_on(echo()),
        _ => runtime.block_on(reads()),
    }
}

/// Until stdin ends.
async fn echo() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    io::stdout().flush()?;
    let (end, ended) = runtime::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::stdin().read(&mut [0]);
        let _ = end.send(());
    });
    runtime::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            runtime::spawn(async move {
                let mut buf = [0; MESSAGE_BYTES];
                while stream.read_exact(&mut buf).await.is_ok() {
                    if stream.write_all(&buf).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let _ = ended.await;
    Ok(())
}

async fn reads() -> io::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().set_len(FILE_BYTES)?;
    std::fs::write(file.path(), vec![1; FILE_BYTES as usize])?;
    read_for(file.path(), SPAN.as_millis() as u64 / 7).await?;
    let clock = libc::CLOCK_PROCESS_CPUTIME_ID;
    let before = work_clock_ns(clock)?;
    let count = read_for(file.path(), SPAN.as_millis() as u64).await?;
    let spent = work_clock_ns(clock)? - before;
    println!("{}", spent as f64 / count as f64);
    Ok(())
}

/// Reads at random places for so many milliseconds. Returns how many reads there were.
async fn read_for(path: &std::path::Path, span_ms: u64) -> io::Result<u64> {
    let readers = (0..READERS).map(|number| {
        let path = path.to_owned();
        runtime::spawn(async move { reader(File::open(path).await?, number, span_ms).await })
    });
    let readers: Vec<_> = readers.collect();
    let mut total = 0;
    for reader in readers {
        total += reader.await.map_err(io::Error::other)??;
    }
    Ok(total)
}

async fn reader(mut file: File, number: u64, span_ms: u64) -> io::Result<u64> {
    let start = Instant::now();
    // A linear congruence is random enough (the multiplier is Knuth's of MMIX).
    let mut place = number;
    let mut buf = [0; READ_BYTES as usize];
    let mut count = 0;
    while start.elapsed().as_millis() < u128::from(span_ms) {
        place = place
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let page = (place >> 33) % (FILE_BYTES / READ_BYTES);
        file.seek(SeekFrom::Start(page * READ_BYTES)).await?;
        file.read_exact(&mut buf).await?;
        count += 1;
    }
    Ok(count)
}
