//! A child process and its pipes.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::process::{Child as StdChild, ExitStatus, Output};
use std::sync::Arc;

use super::watched::Watched;
use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::io::{AsyncRead, AsyncReadExt};
use crate::reactor::Home;

/// A child process; made by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it neither ends the process nor waits for it, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was set; no zombie stays, see the
/// [module](super).
#[derive(Debug)]
pub struct Child {
    process: Process,

    /// The pipe to the child's standard input, if there is one. To take it out is to close it
    /// when that is dropped.
    pub stdin: Option<ChildStdin>,

    /// The pipe from the child's standard output, if there is one.
    pub stdout: Option<ChildStdout>,

    /// The pipe from the child's standard error, if there is one.
    pub stderr: Option<ChildStderr>,
}

#[derive(Debug)]
enum Process {
    /// Nobody has seen it end.
    Watched(Box<Watched>),
    Ended(ExitStatus),
}

impl Child {
    /// Watches a child that was just started.
    ///
    /// # Errors
    ///
    /// If that is refused; the child is gone then.
    #[track_caller]
    pub(super) fn new(
        mut child: StdChild,
        kill_on_drop: bool,
        home: &Arc<Home>,
    ) -> io::Result<Child> {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut watched = Box::new(Watched::new(child, home)?);
        // Until it is whole, an error is the end of it.
        watched.kill_on_drop = true;
        let stdin = stdin.map(ChildStdin::from_std).transpose()?;
        let stdout = stdout.map(ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(ChildStderr::from_std).transpose()?;
        watched.kill_on_drop = kill_on_drop;
        Ok(Child {
            process: Process::Watched(watched),
            stdin,
            stdout,
            stderr,
        })
    }

    /// The process' number; `None` once its end was seen, for then the number may be another's.
    pub fn id(&self) -> Option<u32> {
        match &self.process {
            Process::Watched(watched) => Some(watched.id()),
            Process::Ended(_) => None,
        }
    }

    /// Sends SIGKILL to the process, and does not wait for its end. Nothing happens if its end was
    /// seen already.
    ///
    /// # Errors
    ///
    /// Those of kill(2): EPERM for a process that has become another user's.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.process {
            Process::Watched(watched) => watched.kill(),
            Process::Ended(_) => Ok(()),
        }
    }

    /// Sends SIGKILL to the process, and waits for its end.
    ///
    /// ```
    /// use annulus::process::Command;
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let mut child = Command::new("sleep").arg("1000").spawn()?;
    /// child.kill().await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_kill`](Child::start_kill) and [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// The signal is sent at the first poll; [`wait`](Child::wait) waits on.
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await.map(drop)
    }

    /// Waits until the process has ended, and says how. The pipe to its standard input is closed
    /// first, so that it does not wait for more.
    ///
    /// Asked again, it says the same again. If the runtime that the child was started on has
    /// gone, the one that polls this goes on with it.
    ///
    /// # Errors
    ///
    /// ECHILD if somebody else has taken the status; also if the runtime has shut down and the
    /// caller runs on no other.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the pipe, which is closed at the first poll.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let status = match &mut self.process {
            Process::Watched(watched) => poll_fn(|cx| watched.poll_wait(cx)).await?,
            Process::Ended(status) => return Ok(*status),
        };
        self.process = Process::Ended(status);
        Ok(status)
    }

    /// Says how the process has ended, if it has. The pipe to its standard input stays.
    ///
    /// # Errors
    ///
    /// ECHILD if somebody else has taken the status.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match &mut self.process {
            Process::Watched(watched) => watched.try_wait()?,
            Process::Ended(status) => return Ok(Some(*status)),
        };
        if let Some(status) = status {
            self.process = Process::Ended(status);
        }
        Ok(status)
    }

    /// Waits until the process has ended and its pipes have, and yields its status with all that
    /// came through them. A stream that is no pipe, or was taken out, is empty.
    ///
    /// The pipes end when nobody has their other ends any more, and a child of the child may have
    /// them still.
    ///
    /// # Errors
    ///
    /// As [`wait`](Child::wait), and those of reading.
    ///
    /// # Cancel safety
    ///
    /// What was read is lost, and the child dropped.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let (mut stdout, mut stderr) = (self.stdout.take(), self.stderr.take());
        let (status, out, err) = real::try_join!(
            self.wait(),
            read_to_end(&mut stdout),
            read_to_end(&mut stderr)
        )?;
        Ok(Output {
            status,
            stdout: out,
            stderr: err,
        })
    }
}

async fn read_to_end<R: AsyncRead + Unpin>(pipe: &mut Option<R>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
