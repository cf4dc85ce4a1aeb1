//! What is to be started, and how.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as StdCommand, ExitStatus, Output, Stdio};

use super::Child;
use crate::reactor::Home;
use crate::runtime::Driver;
use crate::sim;

/// A program to be started as a child process, with its arguments, environment and standard
/// streams: std's [`Command`](StdCommand), whose children can be awaited.
///
/// ```
/// use annulus::io::AsyncWriteExt;
/// use annulus::process::Command;
/// use std::process::Stdio;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut child = Command::new("sort")
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .spawn()?;
/// let mut stdin = child.stdin.take().expect("it is a pipe");
/// stdin.write_all(b"pear\napple\n").await?;
/// drop(stdin);
/// let output = child.wait_with_output().await?;
/// assert_eq!(output.stdout, b"apple\npear\n");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Command {
    std: StdCommand,
    kill_on_drop: bool,
}

impl Command {
    /// A command that starts `program`, looked up in PATH if it is a bare name; with no
    /// arguments, this process' environment and working directory, and, by
    /// [`spawn`](Command::spawn) and [`status`](Command::status), its standard streams.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        Command::from(StdCommand::new(program))
    }

    /// std's command.
    pub fn as_std(&self) -> &StdCommand {
        &self.std
    }

    /// std's command, to be changed.
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        &mut self.std
    }

    /// std's command; [`kill_on_drop`](Command::kill_on_drop) is lost.
    pub fn into_std(self) -> StdCommand {
        self.std
    }

    /// Adds an argument, which no shell looks at.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, val);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Removes a variable from the environment.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Empties the environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the working directory. Whether a relative path of the program itself starts there is
    /// not said; canonicalize it first.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// Sets what standard input is: inherited by [`spawn`](Command::spawn) and
    /// [`status`](Command::status) unless set, and nothing by [`output`](Command::output).
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdin(cfg);
        self
    }

    /// Sets what standard output is: inherited unless set, and a pipe for
    /// [`output`](Command::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdout(cfg);
        self
    }

    /// Sets what standard error is: inherited unless set, and a pipe for
    /// [`output`](Command::output).
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stderr(cfg);
        self
    }

    /// Whether dropping the [`Child`] kills the process, if nobody has seen it end. False by
    /// default.
    ///
    /// The process gets SIGKILL, and is reaped once it has ended, as every dropped child is. Its
    /// own children are left alone.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Command {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Whether dropping the child will kill it.
    ///
    /// ```
    /// use annulus::process::Command;
    ///
    /// let mut command = Command::new("sleep");
    /// assert!(!command.get_kill_on_drop());
    /// command.kill_on_drop(true);
    /// assert!(command.get_kill_on_drop());
    /// ```
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// Sets the user that the child becomes by setuid(2); a failure of that is
    /// [`spawn`](Command::spawn)'s. Supplementary groups are dropped if this process is root.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    /// Sets the group that the child becomes, as [`uid`](Command::uid).
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    /// Sets what the program sees as its own name, the argument before the first.
    pub fn arg0<S>(&mut self, arg: S) -> &mut Command
    where
        S: AsRef<OsStr>,
    {
        self.std.arg0(arg);
        self
    }

    /// Adds a closure that runs in the child between fork(2) and exec(2). An error of it is
    /// [`spawn`](Command::spawn)'s.
    ///
    /// # Safety
    ///
    /// The closure runs in a copy of this process that has only the thread that called `spawn`:
    /// whatever another thread held, such as the allocator's lock, stays held. It may call only
    /// what is async-signal-safe, see signal-safety(7), and no runtime.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller's promise is the one that std asks for.
        unsafe { self.std.pre_exec(f) };
        self
    }

    /// Sets the process group of the child; 0 makes a new one, which signals to this process'
    /// group, such as Ctrl-C's, do not reach.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.std.process_group(pgroup);
        self
    }

    /// Starts the child.
    ///
    /// It runs whatever becomes of the handle; see [`kill_on_drop`](Command::kill_on_drop). Like
    /// std's it blocks this thread until the child has called exec(2), which takes about a
    /// millisecond.
    ///
    /// # Errors
    ///
    /// `NotFound` and `PermissionDenied` for the program or the working directory; EAGAIN for too
    /// many processes; EMFILE. Whatever it is, there is no child: if the pidfd of one is refused,
    /// it is killed. `Unsupported` in a [simulation](crate::sim).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime, without having started anything.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        let home = Home::current_with(Driver::Io);
        sim::refuse(
            "starting a process",
            "let a host of its own stand for the program",
        )?;
        let child = self.std.spawn()?;
        Child::new(child, self.kill_on_drop, &home)
    }

    /// Starts the child at once, and waits until it has ended. Its streams are inherited unless
    /// they were set; pipes to it are closed.
    ///
    /// ```
    /// use annulus::process::Command;
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let status = Command::new("sh").args(["-c", "exit 3"]).status().await?;
    /// assert_eq!(status.code(), Some(3));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// The child goes on, or is killed; see [`kill_on_drop`](Command::kill_on_drop).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            // The child must not wait for this end of a pipe.
            drop(child.stdin.take());
            drop(child.stdout.take());
            drop(child.stderr.take());
            child.wait().await
        }
    }

    /// Starts the child at once, and collects what it writes until it has ended. Standard output
    /// and error become pipes, even if they were set to something else.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait_with_output`].
    ///
    /// # Cancel safety
    ///
    /// What was read is lost. The child goes on, or is killed; see
    /// [`kill_on_drop`](Command::kill_on_drop).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.std.stdout(Stdio::piped());
        self.std.stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }
}

impl From<StdCommand> for Command {
    fn from(std: StdCommand) -> Command {
        Command {
            std,
            kill_on_drop: false,
        }
    }
}
