//! Files and directories: what `annulus::fs` does through its public API.

use std::ffi::CString;
use std::io::{self, ErrorKind, IoSlice, Read, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use annulus::fs::{self, DirBuilder, File, OpenOptions};
use annulus::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use annulus::runtime::RecvMode;
use annulus::uring::{IoBuf, IoBufMut};
use annulus_tests::{
    Counting, Folder, Moment, Outcome, current_thread, drop_at, for_each_runtime, is_simulated,
    nothing_in_flight, on_a_machine, serial, turns,
};
use futures::future::join_all;

annulus::sim_install!();

#[global_allocator]
static HEAP: Counting = Counting::new();

/// Runs a test's body as a task on each flavour, with a folder of its own.
fn with_folder<F>(body: impl Fn(PathBuf) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    for_each_runtime(|name, runtime| {
        let folder = Folder::new(runtime.handle());
        let task = runtime.spawn(body(folder.path().to_owned()));
        let result = runtime.block_on(task).expect("it does not panic");
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}

async fn open_both(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .open(path)
        .await
}

#[test]
fn what_waits_for_a_file_may_be_shared_between_threads() {
    fn is_shared(_: impl Send + Sync) {}
    fn of_a_file(file: &'static mut File) {
        is_shared(file.sync_all());
        is_shared(file.sync_data());
        is_shared(file.set_len(1));
        is_shared(file.try_clone());
        is_shared(file.read_u8());
        is_shared(file.write_u8(1));
    }
    let _: fn(&'static mut File) = of_a_file;
    is_shared(fs::read("/"));
    is_shared(fs::read_to_string("/"));
    is_shared(fs::write("/", "text"));
    is_shared(fs::metadata("/"));
    is_shared(fs::rename("/", "/"));
    is_shared(File::open("/"));
}

#[test]
fn what_was_written_is_read_back() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        file.write_all(b"hello ").await?;
        assert_eq!(
            file.write_vectored(&[IoSlice::new(b"wo"), IoSlice::new(b"rld")])
                .await?,
            5
        );
        file.flush().await?;
        file.sync_data().await?;
        file.sync_all().await?;
        assert_eq!(file.metadata().await?.len(), 11);
        file.rewind().await?;
        let mut text = String::new();
        file.read_to_string(&mut text).await?;
        assert_eq!(text, "hello world");
        assert_eq!(file.read(&mut [0; 8]).await?, 0, "the end stays the end");
        Ok(())
    });
}

#[test]
fn bytes_read_ahead_go_back_before_the_cursor_is_used_otherwise() {
    with_folder(|folder| async move {
        std::fs::write(folder.join("file"), "0123456789")?;
        let mut file = open_both(&folder.join("file")).await?;
        // 1. A read of six bytes is dropped when they are there, and only two of them are taken.
        let mut six = [0; 6];
        let outcome = drop_at(Moment::Completed, file.read(&mut six), || ()).await;
        assert!(
            matches!(outcome, Outcome::Woken),
            "the bytes were there: {outcome:?}"
        );
        let mut two = [0; 2];
        file.read_exact(&mut two).await?;
        assert_eq!(&two, b"01");
        // 2. A seek counts from what was taken.
        assert_eq!(file.seek(SeekFrom::Current(1)).await?, 3);
        // 3. So does a write.
        drop(drop_at(Moment::Completed, file.read(&mut six), || ()).await);
        file.read_exact(&mut two).await?;
        assert_eq!(&two, b"34");
        file.write_all(b"xy").await?;
        file.flush().await?;
        assert_eq!(std::fs::read_to_string(folder.join("file"))?, "01234xy789");
        // 4. And what the standard library gets.
        drop(drop_at(Moment::Completed, file.read(&mut six), || ()).await);
        file.read_exact(&mut two[..1]).await?;
        let mut rest = String::new();
        file.into_std().await.read_to_string(&mut rest)?;
        assert_eq!(rest, "89");
        Ok(())
    });
}

#[test]
fn a_dropped_read_leaves_its_bytes_to_the_next() {
    with_folder(|folder| async move {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(folder.join("file"), &bytes)?;
        let mut file = File::open(folder.join("file")).await?;
        let (mut read, mut dropped) = (Vec::new(), 0);
        let mut buf = [0; 777];
        loop {
            let moment = [Moment::Unpublished, Moment::InFlight, Moment::Completed][read.len() % 3];
            let outcome = drop_at(moment, file.read(&mut buf), || ()).await;
            dropped += usize::from(!matches!(outcome, Outcome::Ready(_)));
            let n = match outcome {
                Outcome::Ready(n) => n?,
                Outcome::Waiting | Outcome::Woken => file.read(&mut buf).await?,
            };
            if n == 0 {
                break;
            }
            read.extend_from_slice(&buf[..n]);
        }
        assert!(read == bytes, "{} bytes of {}", read.len(), bytes.len());
        assert!(dropped > 100, "{dropped} reads were dropped");
        Ok(())
    });
}

#[test]
fn the_error_of_a_write_is_told_by_the_next_write_or_flush() {
    if !on_a_machine("it needs /dev/full") {
        return;
    }
    with_folder(|_| async {
        let mut full = OpenOptions::new().write(true).open("/dev/full").await?;
        full.write_all(b"bytes").await?;
        assert_eq!(
            full.flush().await.map_err(|e| e.kind()),
            Err(ErrorKind::StorageFull)
        );
        full.flush().await.expect("an error is told once");
        full.write_all(b"bytes").await?;
        assert_eq!(
            full.write(b"x").await.map_err(|e| e.kind()),
            Err(ErrorKind::StorageFull)
        );
        full.write_all(b"bytes").await?;
        assert_eq!(
            full.shutdown().await.map_err(|e| e.kind()),
            Err(ErrorKind::StorageFull)
        );
        Ok(())
    });
}

#[test]
fn a_partial_write_goes_on_although_the_file_is_dropped() {
    // 16 times what a pipe holds, less than what a file buffers.
    const LEN: usize = 1 << 20;
    if !on_a_machine("it needs a named pipe") {
        return;
    }
    with_folder(|folder| async move {
        let path = folder.join("pipe");
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL in it");
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        // 1. Opened both ways, which does not wait for a peer; the reader holds its own end.
        let mut file = open_both(&path).await?;
        let mut reader = std::fs::File::open(&path)?;
        // 2. Ready, with most of it still in the file's buffer, and dropped.
        let bytes: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
        assert_eq!(file.write(&bytes).await?, LEN);
        drop(file);
        // 3. All of it arrives.
        let read = annulus::task::spawn_blocking(move || {
            let mut read = vec![0; LEN];
            reader.read_exact(&mut read).map(|()| read)
        });
        assert!(read.await?? == bytes);
        Ok(())
    });
}

#[test]
fn a_write_reaches_the_file_although_the_runtime_is_dropped() {
    let _serial = serial();
    // A simulated folder goes with the last runtime of its world: this one stays.
    let witness = current_thread(RecvMode::Auto).build();
    let witness = witness.expect("the runtime builds");
    let folder = Folder::new(witness.handle());
    let path = folder.path().join("file");
    for round in 0..20 {
        let runtime = current_thread(RecvMode::Auto)
            .build()
            .expect("the runtime builds");
        runtime.block_on(async {
            let mut file = File::create(&path).await.expect("the folder takes a file");
            file.write_all(&vec![b'x'; 100_000 + round])
                .await
                .expect("the disk has room");
        });
        drop(runtime);
        let len = std::fs::metadata(&path).expect("it was made").len();
        assert_eq!(len, 100_000 + round as u64);
    }
    drop(witness);
    nothing_in_flight("after the runtimes");
}

#[test]
fn what_is_left_of_a_write_goes_on_while_the_runtime_is_dropped() {
    const LEN: usize = 1 << 20;
    if !on_a_machine("it needs a named pipe") {
        return;
    }
    let _serial = serial();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pipe");
    let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL in it");
    // SAFETY: a C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // 1. The first part of a write fills the pipe; the rest waits in the ring.
    let runtime = current_thread(RecvMode::Auto)
        .build()
        .expect("the runtime builds");
    let mut reader = runtime.block_on(async {
        let mut file = open_both(&path).await.expect("the pipe opens");
        let reader = std::fs::File::open(&path).expect("the pipe opens");
        assert_eq!(
            file.write(&vec![7; LEN]).await.expect("it is buffered"),
            LEN
        );
        turns().await;
        reader
    });
    // 2. Dropping the runtime waits for it.
    let read = std::thread::spawn(move || {
        let mut bytes = vec![0; LEN];
        reader.read_exact(&mut bytes).map(|()| bytes)
    });
    drop(runtime);
    let bytes = read
        .join()
        .expect("reading does not panic")
        .expect("all of it arrives");
    assert!(bytes.iter().all(|byte| *byte == 7));
    nothing_in_flight("after the runtime");
}

#[test]
fn reads_and_writes_at_positions_leave_the_cursor_alone() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        // 1. Any number at a time.
        let writes = (0..32u8).map(|n| file.write_at(vec![n; 512], u64::from(n) * 512));
        for (n, _) in join_all(writes).await {
            assert_eq!(n?, 512);
        }
        let reads = (0..32u8).map(|n| file.read_at(Vec::with_capacity(512), u64::from(n) * 512));
        for (n, (len, block)) in join_all(reads).await.into_iter().enumerate() {
            assert_eq!((len?, block), (512, vec![n as u8; 512]));
        }
        // 2. The cursor is where it was.
        assert_eq!(file.stream_position().await?, 0);
        // 3. The end, and slices.
        assert_eq!(file.read_at(vec![0; 8], 1 << 20).await.0?, 0);
        let (n, slice) = file.read_at(vec![b'-'; 8].slice_mut(2..4), 512).await;
        assert_eq!((n?, slice.into_inner()), (2, b"--\x01\x01----".to_vec()));
        assert_eq!(file.write_at("hello".slice(1..3), 0).await.0?, 2);
        assert_eq!(
            annulus::uring::read_at(&file, Vec::with_capacity(2), 0)
                .await
                .1,
            b"el"
        );
        // 4. What pread refuses.
        let (result, buf) = file.read_at(vec![7; 3], u64::MAX).await;
        assert_eq!(result.map_err(|e| e.kind()), Err(ErrorKind::InvalidInput));
        assert_eq!(buf, [7; 3], "the buffer comes back on error too");
        Ok(())
    });
}

#[test]
fn a_length_can_be_set() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        file.write_all(b"0123456789").await?;
        file.set_len(4).await?;
        assert_eq!(std::fs::read(folder.join("file"))?, b"0123");
        file.set_len(6).await?;
        assert_eq!(std::fs::read(folder.join("file"))?, b"0123\0\0");
        Ok(())
    });
}

#[test]
fn a_clone_shares_the_cursor() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        let mut clone = file.try_clone().await?;
        file.write_all(b"one").await?;
        file.flush().await?;
        clone.write_all(b"two").await?;
        clone.flush().await?;
        assert_eq!(std::fs::read(folder.join("file"))?, b"onetwo");
        Ok(())
    });
}

#[test]
fn a_file_goes_to_std_at_once_only_while_nothing_is_in_flight() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        file.write_all(b"bytes").await?;
        let mut file = file.try_into_std().expect_err("a write is in flight");
        file.flush().await?;
        drop(file.try_into_std().expect("nothing is in flight"));
        Ok(())
    });
}

#[test]
fn a_buffer_size_limits_each_read_and_write() {
    with_folder(|folder| async move {
        let mut file = open_both(&folder.join("file")).await?;
        assert_eq!(file.max_buf_size(), 2 * 1024 * 1024);
        file.set_max_buf_size(3);
        assert_eq!(file.write(b"hello").await?, 3);
        file.rewind().await?;
        assert_eq!(file.read(&mut [0; 5]).await?, 3);
        assert_eq!(file.write(b"").await?, 0);
        assert_eq!(file.read(&mut []).await?, 0);
        Ok(())
    });
}

#[test]
fn options_mean_what_they_mean_in_std() {
    with_folder(|folder| async move {
        let path = folder.join("file");
        let missing = OpenOptions::new().read(true).open(&path).await;
        assert_eq!(
            missing.map(drop).map_err(|e| e.kind()),
            Err(ErrorKind::NotFound)
        );
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .await?;
        assert_eq!(made.metadata().await?.mode() & 0o777, 0o600);
        let again = File::create_new(&path).await;
        assert_eq!(
            again.map(drop).map_err(|e| e.kind()),
            Err(ErrorKind::AlreadyExists)
        );
        for _ in 0..2 {
            let mut log = OpenOptions::new().append(true).open(&path).await?;
            log.write_all(b"line\n").await?;
            log.flush().await?;
        }
        assert_eq!(fs::read_to_string(&path).await?, "line\nline\n");
        let std: OpenOptions = std::fs::OpenOptions::new().write(true).clone().into();
        std.open(&path).await?;
        let nothing = OpenOptions::new().open(&path).await;
        assert_eq!(
            nothing.map(drop).map_err(|e| e.kind()),
            Err(ErrorKind::InvalidInput)
        );
        let nul = File::open("a\0b").await;
        assert_eq!(
            nul.map(drop).map_err(|e| e.kind()),
            Err(ErrorKind::InvalidInput)
        );
        assert!(format!("{made:?}").starts_with("tokio::fs::File { std: File { fd:"));
        Ok(())
    });
}

#[test]
fn whole_files_are_read_and_written() {
    with_folder(|folder| async move {
        let path = folder.join("file");
        for len in [0, 1, 4096, 300_000] {
            let bytes: Vec<u8> = (0..len).map(|n: usize| (n % 251) as u8).collect();
            fs::write(&path, &bytes).await?;
            assert!(fs::read(&path).await? == bytes, "{len} bytes");
        }
        fs::write(&path, b"\xff").await?;
        let error = fs::read_to_string(&path)
            .await
            .map(drop)
            .map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::InvalidData));
        // A file that does not know its length.
        if !is_simulated() {
            assert_eq!(
                fs::read("/proc/self/cmdline").await?,
                std::fs::read("/proc/self/cmdline")?
            );
        }
        assert_eq!(
            fs::read(&folder).await.map_err(|e| e.kind()),
            Err(ErrorKind::IsADirectory)
        );
        Ok(())
    });
}

#[test]
fn metadata_is_what_std_says() {
    with_folder(|folder| async move {
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::fs::write(&file, "12345")?;
        fs::symlink(&file, &link).await?;
        for path in [&file, &link, &folder] {
            let (ours, std) = (fs::metadata(path).await?, std::fs::metadata(path)?);
            assert_eq!(
                (ours.ino(), ours.len(), ours.mode()),
                (std.ino(), std.len(), std.mode())
            );
            assert_eq!(ours.created().ok(), std.created().ok());
            let (ours, std) = (
                fs::symlink_metadata(path).await?,
                std::fs::symlink_metadata(path)?,
            );
            assert_eq!(
                (ours.ino(), ours.is_symlink()),
                (std.ino(), std.is_symlink())
            );
        }
        assert_eq!(fs::read_link(&link).await?, file);
        // The root of a simulated host is where std says that it is.
        let canonical = fs::canonicalize(&link).await?;
        assert!(std::fs::canonicalize(&file)?.ends_with(canonical.strip_prefix("/").unwrap()));
        // Of a file that may not be opened, by the same way.
        fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).await?;
        assert_eq!(fs::metadata(&file).await?.mode() & 0o777, 0);
        assert!(fs::try_exists(&link).await?);
        std::fs::remove_file(&file)?;
        assert!(!fs::try_exists(&link).await?, "a broken link leads nowhere");
        let error = fs::metadata(&link).await.map(drop).map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::NotFound));
        Ok(())
    });
}

#[test]
fn names_are_changed_and_removed() {
    with_folder(|folder| async move {
        let (a, b) = (folder.join("a"), folder.join("b"));
        fs::write(&a, "a").await?;
        fs::rename(&a, &b).await?;
        assert!(!a.exists() && b.exists());
        fs::hard_link(&b, &a).await?;
        assert_eq!(std::fs::metadata(&a)?.nlink(), 2);
        assert_eq!(fs::copy(&b, folder.join("c")).await?, 1);
        fs::remove_file(&b).await?;
        let error = fs::remove_file(&b).await.map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::NotFound));
        let error = fs::remove_file(&folder).await.map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::IsADirectory));
        Ok(())
    });
}

#[test]
fn a_copy_onto_a_link_to_nothing_makes_the_file_it_leads_to() {
    with_folder(|folder| async move {
        let [from, inner, link] = ["from", "inner", "link"].map(|name| folder.join(name));
        fs::write(&from, "bytes").await?;
        fs::create_dir(&inner).await?;
        // One link leads to another, and that out of its own directory.
        fs::symlink("inner/link", &link).await?;
        fs::symlink("../made", inner.join("link")).await?;
        assert_eq!(fs::copy(&from, &link).await?, 5);
        assert_eq!(fs::read_to_string(folder.join("made")).await?, "bytes");
        fs::symlink("round", folder.join("round")).await?;
        assert!(fs::copy(&from, folder.join("round")).await.is_err());
        Ok(())
    });
}

#[test]
fn directories_are_made_listed_and_removed() {
    with_folder(|folder| async move {
        let deep = folder.join("a/b/c");
        let error = fs::create_dir(&deep).await.map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::NotFound));
        fs::create_dir_all(&deep).await?;
        fs::create_dir_all(&deep).await?;
        let error = fs::create_dir(&deep).await.map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::AlreadyExists));
        fs::write(folder.join("file"), "").await?;
        assert!(fs::create_dir_all(folder.join("file")).await.is_err());
        assert!(fs::create_dir_all(folder.join("file/below")).await.is_err());
        DirBuilder::new()
            .mode(0o700)
            .create(folder.join("mine"))
            .await?;
        assert_eq!(
            std::fs::metadata(folder.join("mine"))?.mode() & 0o777,
            0o700
        );

        for n in 0..100 {
            std::fs::write(deep.join(n.to_string()), "")?;
        }
        let mut entries = fs::read_dir(&deep).await?;
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            assert!(entry.file_type().await?.is_file());
            assert_eq!(entry.metadata().await?.ino(), entry.ino());
            assert_eq!(entry.path(), deep.join(entry.file_name()));
            names.push(entry.file_name());
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 100);
        assert!(
            entries.next_entry().await?.is_none(),
            "the end stays the end"
        );

        let error = fs::remove_dir(&deep).await.map_err(|e| e.kind());
        assert_eq!(error, Err(ErrorKind::DirectoryNotEmpty));
        fs::remove_dir_all(folder.join("a")).await?;
        fs::remove_dir(folder.join("mine")).await?;
        assert!(!folder.join("a").exists() && !folder.join("mine").exists());
        Ok(())
    });
}

#[test]
fn a_read_of_a_pipe_waits_and_is_cancelled_with_its_file() {
    if !on_a_machine("it needs a named pipe") {
        return;
    }
    with_folder(|folder| async move {
        let path = folder.join("pipe");
        let name = CString::new(path.as_os_str().as_bytes()).expect("no NUL in it");
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let mut file = open_both(&path).await?;
        let mut byte = [0];
        // 1. Nothing is in the pipe, so the read waits in the kernel.
        assert!(matches!(
            drop_at(Moment::InFlight, file.read(&mut byte), || ()).await,
            Outcome::Waiting
        ));
        // 2. What comes is for the next read.
        let mut other = open_both(&path).await?;
        other.write_all(b"x").await?;
        file.read_exact(&mut byte).await?;
        assert_eq!(&byte, b"x");
        // 3. A read that stands when the file is dropped keeps nothing: the runtime ends.
        let outcome = drop_at(Moment::InFlight, file.read(&mut byte), || ()).await;
        assert!(matches!(outcome, Outcome::Waiting));
        Ok(())
    });
}

#[test]
fn reading_and_writing_a_file_allocates_nothing_in_the_steady_state() {
    if !on_a_machine("the simulation allocates") {
        return;
    }
    let _serial = serial();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    let runtime = current_thread(RecvMode::Auto)
        .build()
        .expect("the runtime builds");
    runtime.block_on(async {
        let mut file = open_both(&path).await.expect("the folder takes a file");
        let mut buf = vec![0; 4096];
        let mut used = None;
        // The first rounds fill the buffers and the pages of cells.
        for rounds in [100, 1000] {
            let before = Counting::of_this_thread();
            for _ in 0..rounds {
                file.write_all(&buf).await.expect("the disk has room");
                file.rewind().await.expect("a file can seek");
                file.read_exact(&mut buf).await.expect("it was written");
                let (n, back) = file.read_at(std::mem::take(&mut buf), 0).await;
                assert_eq!(n.expect("it was written"), 4096);
                buf = back;
                file.rewind().await.expect("a file can seek");
            }
            used = Some(Counting::of_this_thread() - before);
        }
        let used = used.expect("two rounds ran");
        assert_eq!(
            (used.allocs, used.reallocs),
            (0, 0),
            "in 1000 rounds: {used:?}"
        );
    });
}

#[test]
fn a_file_outside_of_a_runtime_panics_and_says_why() {
    let polled = std::panic::catch_unwind(|| futures::executor::block_on(File::open("/")));
    let panic = polled.expect_err("there is no reactor");
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or(panic.downcast_ref::<&str>().copied())
        .expect("a text");
    assert!(text.contains("there is no reactor running"), "{text}");
}

#[test]
fn a_late_descriptor_is_closed() {
    with_folder(|folder| async move {
        let path = folder.join("file");
        std::fs::write(&path, "")?;
        let before = annulus_tests::descriptors();
        let mut late = 0;
        for round in 0..200 {
            let moment = [Moment::Unpublished, Moment::InFlight, Moment::Completed][round % 3];
            let outcome = drop_at(moment, File::open(&path), || ()).await;
            late += usize::from(matches!(outcome, Outcome::Woken));
        }
        turns().await;
        annulus_tests::settled("every descriptor is closed", || {
            annulus_tests::descriptors() == before
        })
        .await;
        assert!(late > 60, "{late} descriptors came for nobody");
        Ok(())
    });
}
