//! What the kernel knows of a process.

use std::fs;
use std::path::PathBuf;

/// The most memory that a process has had in use, in bytes.
pub(crate) fn peak_memory(process_id: u32) -> u64 {
    memory(process_id, "VmHWM:")
}

/// The memory of its own that a process has in use, in bytes.
pub(crate) fn own_memory(process_id: u32) -> u64 {
    memory(process_id, "RssAnon:")
}

fn memory(process_id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(file(process_id, "status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// How many sockets a process has open.
pub(crate) fn open_sockets(process_id: u32) -> usize {
    let targets = open_files(process_id).into_iter();
    let is_socket = |target: &PathBuf| target.to_string_lossy().starts_with("socket:");
    targets.filter(is_socket).count()
}

/// What a process has open.
pub(crate) fn open_files(process_id: u32) -> Vec<PathBuf> {
    fs::read_dir(file(process_id, "fd"))
        .unwrap()
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .collect()
}

/// How many maps of files under this name a process has in its memory.
pub(crate) fn maps_of(process_id: u32, name: &str) -> usize {
    let maps = fs::read_to_string(file(process_id, "maps")).unwrap();
    maps.lines().filter(|line| line.contains(name)).count()
}

fn file(process_id: u32, name: &str) -> PathBuf {
    ["/proc", &process_id.to_string(), name].iter().collect()
}
