//! What this machine offers a runtime, and what each lack costs.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs;

use annulus_ring::{Kernel, Mask, Opcode, Version};

use crate::runtime::KernelKind;
use crate::runtime::kernel::{Chosen, Why, name};

/// What a runtime that is built here and now finds: made by [`diagnose`], printed by `Display`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The running kernel's release, as `uname -r` says it; empty if it cannot be read.
    pub release: String,
    /// The kernel that [`KernelKind::Auto`](crate::runtime::KernelKind) chooses, `uring` or
    /// `emulated`; `None` if no runtime can be built.
    pub chosen: Option<&'static str>,
    /// Why it is this one, or why there is none; where io_uring is refused, with the remedy.
    pub why: String,
    /// The Linux release whose abilities the chosen kernel has.
    pub version: Option<Version>,
    /// Its features (`IORING_FEAT_*`), without their prefix.
    pub features: Vec<&'static str>,
    /// Operations that it does not have, of those that are known.
    pub missing: Vec<Opcode>,
    /// What is missing that a runtime would use.
    pub lacks: Vec<Lack>,
    /// Bytes that the process may lock (RLIMIT_MEMLOCK); `None` if there is no limit, or it cannot
    /// be read.
    pub memlock_bytes: Option<u64>,
    /// Descriptors that the process may have open (RLIMIT_NOFILE); `None` as above.
    pub nofile: Option<u64>,
    /// Whether system calls of this thread are filtered.
    pub seccomp: Seccomp,
    /// The sysctl `kernel.io_uring_disabled`; `None` before Linux 6.6.
    pub io_uring_disabled: Option<u8>,
}

/// Something that a runtime would use, and has to do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lack {
    /// Its name.
    pub name: &'static str,
    /// The Linux release it came with.
    pub since: Version,
    /// What is slower, or not there at all.
    pub cost: &'static str,
}

/// How the system calls of a thread are filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seccomp {
    /// Not at all.
    Off,
    /// Only reading, writing and leaving are allowed.
    Strict,
    /// By filters, such as a container's profile.
    Filtered,
    /// Nothing tells.
    Unknown,
}

/// Looks at the machine as [`Builder::build`](crate::runtime::Builder::build) would. It makes a
/// small ring to try, and reads files of `/proc`: call it at the start, not in a loop.
///
/// ```
/// let diagnosis = annulus::diagnose();
/// assert!(diagnosis.chosen.is_some(), "{diagnosis}");
/// ```
#[must_use]
pub fn diagnose() -> Diagnosis {
    let chosen = KernelKind::Auto.choose(Mask::NONE);
    let kernel = chosen.as_ref().ok().map(|chosen| &chosen.kernel);
    Diagnosis {
        release: read("/proc/sys/kernel/osrelease").unwrap_or_default(),
        chosen: kernel.map(name),
        why: match &chosen {
            Ok(chosen) => reason(chosen),
            Err(error) => error.to_string(),
        },
        version: kernel.map(Kernel::version),
        features: kernel.map(Kernel::feature_names).unwrap_or_default(),
        missing: kernel.map(missing).unwrap_or_default(),
        lacks: kernel.map(lacks).unwrap_or_default(),
        memlock_bytes: limit("Max locked memory"),
        nofile: limit("Max open files"),
        seccomp: seccomp(read("/proc/thread-self/status").as_deref()),
        io_uring_disabled: read("/proc/sys/kernel/io_uring_disabled")
            .and_then(|text| text.parse().ok()),
    }
}

fn reason(chosen: &Chosen) -> String {
    match &chosen.why {
        Why::Asked => "asked for by the program".into(),
        Why::Variable => "asked for by ANNULUS_KERNEL".into(),
        Why::Available => "io_uring is there".into(),
        Why::Refused(error) => error.to_string(),
    }
}

/// Opcodes that some kernel has and this one has not.
fn missing(kernel: &Kernel) -> Vec<Opcode> {
    let known = (0..=u8::MAX)
        .map(Opcode)
        .filter(|opcode| opcode.since().is_some());
    known.filter(|opcode| !kernel.supports(*opcode)).collect()
}

/// What a runtime would use, by the release it came with.
const USED: [Lack; 5] = [
    Lack {
        name: "SEND_ZC",
        since: Version::new(6, 0),
        cost: "uring::send_zc answers Unsupported: data is sent by copying it",
    },
    Lack {
        name: "SYNC_CANCEL",
        since: Version::new(6, 0),
        cost: "a socket dropped on another thread is closed when its worker turns next",
    },
    Lack {
        name: "DEFER_TASKRUN",
        since: Version::new(6, 1),
        cost: "a LocalRuntime's completions take more switches into the kernel",
    },
    Lack {
        name: "SEND_MSG_RING",
        since: Version::new(6, 13),
        cost: "a sleeping worker is woken through an eventfd, a completion more for each wake",
    },
    Lack {
        name: "NO_IOWAIT",
        since: Version::new(6, 15),
        cost: "waiting threads are shown as waiting for a disk (iowait)",
    },
];

/// What its emulation lacks of io_uring itself.
const EMULATED: Lack = Lack {
    name: "io_uring",
    since: Version::OLDEST,
    cost: "a system call or more for each operation that waits, and a thread for each that works \
           on a file, but for reads of what is in memory",
};

fn lacks(kernel: &Kernel) -> Vec<Lack> {
    match kernel {
        Kernel::Emulated(_) => vec![EMULATED],
        // Not a machine's: nobody chooses it by a variable.
        Kernel::Simulated(_) => Vec::new(),
        Kernel::Uring(_) => {
            let version = kernel.version();
            let newer = USED.iter().filter(|lack| !version.at_least(lack.since));
            newer.copied().collect()
        }
    }
}

/// A file's text, without white space around it.
fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The soft limit of this name in `/proc/self/limits`.
fn limit(name: &str) -> Option<u64> {
    soft_limit(&read("/proc/self/limits")?, name)
}

fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn seccomp(status: Option<&str>) -> Seccomp {
    let mut lines = status.unwrap_or_default().lines();
    match lines
        .find_map(|line| line.strip_prefix("Seccomp:"))
        .map(str::trim)
    {
        Some("0") => Seccomp::Off,
        Some("1") => Seccomp::Strict,
        Some("2") => Seccomp::Filtered,
        _ => Seccomp::Unknown,
    }
}

impl fmt::Display for Seccomp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Seccomp::Off => "off",
            Seccomp::Strict => "strict",
            Seccomp::Filtered => "filtered",
            Seccomp::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Linux {}): {}", self.name, self.since, self.cost)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Linux        {}", self.release)?;
        writeln!(
            f,
            "kernel       {}: {}",
            self.chosen.unwrap_or("none"),
            self.why
        )?;
        if let Some(version) = self.version {
            writeln!(f, "abilities    those of Linux {version}")?;
        }
        writeln!(f, "features     {}", self.features.join(" "))?;
        let missing: Vec<String> = self.missing.iter().map(opcode).collect();
        let missing = if missing.is_empty() {
            "none".into()
        } else {
            missing.join(" ")
        };
        writeln!(f, "not there    {missing}")?;
        for lack in &self.lacks {
            writeln!(f, "without      {lack}")?;
        }
        let limit = |limit: Option<u64>| limit.map_or("no limit".into(), |most| most.to_string());
        writeln!(f, "memlock      {} bytes", limit(self.memlock_bytes))?;
        writeln!(f, "open files   {}", limit(self.nofile))?;
        writeln!(f, "seccomp      {}", self.seccomp)?;
        match self.io_uring_disabled {
            Some(value) => write!(f, "io_uring_disabled  {value}"),
            None => f.write_str("io_uring_disabled  not known to this kernel"),
        }
    }
}

/// An opcode with the release that it came with.
fn opcode(opcode: &Opcode) -> String {
    match opcode.since() {
        Some(since) => format!("{opcode} ({since})"),
        None => opcode.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max open files            1024                 1048576              files     
Max locked memory         unlimited            unlimited            bytes     ";

    #[test]
    fn limits_are_read_from_their_lines() {
        assert_eq!(soft_limit(LIMITS, "Max open files"), Some(1024));
        assert_eq!(soft_limit(LIMITS, "Max locked memory"), None);
        assert_eq!(soft_limit(LIMITS, "Max processes"), None);
    }

    #[test]
    fn the_seccomp_mode_is_the_threads_and_not_the_number_of_filters() {
        let status = "Name:\ttest\nSeccomp_filters:\t7\nSeccomp:\t2\n";
        assert_eq!(seccomp(Some(status)), Seccomp::Filtered);
        assert_eq!(seccomp(Some("Seccomp:\t0")), Seccomp::Off);
        assert_eq!(seccomp(None), Seccomp::Unknown);
    }

    #[test]
    fn an_old_kernel_lacks_what_came_later_and_a_new_one_nothing() {
        let Ok(old) = Kernel::uring(Mask::V5_19) else {
            return; // io_uring is not to be had here
        };
        assert_eq!(lacks(&old).len(), USED.len());
        let newest = Kernel::uring(Mask::V6_12).expect("it is there");
        let names: Vec<_> = lacks(&newest).iter().map(|lack| lack.name).collect();
        assert_eq!(names, ["SEND_MSG_RING", "NO_IOWAIT"]);
    }

    #[test]
    fn everything_is_in_the_text() {
        let text = diagnose().to_string();
        for part in [
            "Linux",
            "kernel",
            "features",
            "memlock",
            "open files",
            "seccomp",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
