//! On what it was measured.

use std::{fs, thread};

use harness::time;

/// One line: processor, cores, memory, kernel and the day.
pub fn description() -> String {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim_end().to_owned()).unwrap_or_default()
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kilobytes: u64 =
        line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let day = time::common_log_format(time::now());
    format!(
        "Measured on {}: {cores} cores of {}, {} GB, {} {}.\n",
        day.split(':').next().unwrap_or_default(),
        line("/proc/cpuinfo", "model name"),
        kilobytes / 1024 / 1024,
        line("/proc/sys/kernel/ostype", ""),
        line("/proc/sys/kernel/osrelease", ""),
    )
}
