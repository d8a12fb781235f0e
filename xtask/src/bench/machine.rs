use std::fs;
use std::thread;

use super::results::Machine;

impl Machine {
    /// The machine that this runs on, as far as it tells.
    pub(super) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or("unknown")
                .to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mebibytes: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|memory| memory.split_whitespace().next())
                .and_then(|kibibytes| kibibytes.parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes / 1024),
            kernel: release(&read("/proc/sys/kernel/osrelease")).to_owned(),
        }
    }
}

/// The numbers of a kernel's release, without what its builder added.
fn release(text: &str) -> &str {
    text.trim().split('-').next().unwrap_or_default()
}

/// The first value of a name, in lines of `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.find(|(key, _)| key.trim() == name)?;
    Some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: B\n";
        assert_eq!(field(text, "model name"), Some("A CPU: fast"));
        assert_eq!(field(text, "MemTotal"), None);
        assert_eq!(release("6.18.44-cloud-amd64\n"), "6.18.44");
    }
}
