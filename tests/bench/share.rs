//! A share of a processor, as Lambda gives it to a function by its memory.
//!
//! Lambda gives a whole processor at 1,769 MB and a part in proportion below
//! ([its documentation](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)). Here it is a quota of
//! the kernel's scheduler: so many microseconds in each period of 20 milliseconds, then the process stands still until
//! the next. Lambda's own scheduler is not known; the quota is the nearest thing that a machine has.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

/// What the template gives every function, in MB.
pub const MEMORY: u64 = 256;
/// Where Lambda gives a whole processor, in MB.
const WHOLE: u64 = 1769;
/// The period of the quota.
const PERIOD: Duration = Duration::from_millis(20);
/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// A control group with a quota; it goes when it is dropped, and the processes in it must have ended before.
pub struct Share {
    group: PathBuf,
}

impl Share {
    /// The share of a function with so many MB, if this machine lets a control group be made: as root, with the `cpu`
    /// controller of either version.
    pub fn of_memory(megabytes: u64) -> io::Result<Self> {
        let name = format!("login-bench-{}", std::process::id());
        let period = u64::try_from(PERIOD.as_micros()).unwrap_or(u64::MAX);
        let quota = period * megabytes / WHOLE;
        let controllers = fs::read_to_string(Path::new(ROOT).join("cgroup.subtree_control"));
        if controllers.is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "cpu")) {
            let share = Self::make(Path::new(ROOT).join(name))?;
            fs::write(share.group.join("cpu.max"), format!("{quota} {period}"))?;
            return Ok(share);
        }
        let share = Self::make(Path::new(ROOT).join("cpu").join(name))?;
        fs::write(share.group.join("cpu.cfs_period_us"), period.to_string())?;
        fs::write(share.group.join("cpu.cfs_quota_us"), quota.to_string())?;
        Ok(share)
    }

    fn make(group: PathBuf) -> io::Result<Self> {
        fs::create_dir(&group)?;
        Ok(Self { group })
    }

    /// A command that runs a binary in this share, from its first instruction on: a shell goes in, and becomes it. What
    /// is added are the binary's arguments.
    pub fn command(&self, binary: &Path) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", r#"echo $$ >"$0" && exec "$@""#])
            .arg(self.group.join("cgroup.procs"))
            .arg(binary);
        command
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // What is left behind is an empty group, which changes nothing for anybody.
        let _ = fs::remove_dir(&self.group);
    }
}
