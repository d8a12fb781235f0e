use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The name of the socket in its folder.
pub(super) const NAME: &str = "control";

/// Calls `act` with the path of a socket. It may have only about a hundred bytes, and a data folder's
/// may have more: so it goes through the open folder.
pub(super) fn with_path<T>(
    folder: &Path,
    name: &str,
    act: impl FnOnce(PathBuf) -> io::Result<T>,
) -> io::Result<T> {
    let open = File::open(folder)?;
    let descriptors = Path::new("/proc/self/fd");
    match descriptors.is_dir() {
        true => act(descriptors.join(open.as_raw_fd().to_string()).join(name)),
        false => act(folder.join(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_may_be_in_a_folder_with_a_long_path() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a".repeat(120));
        std::fs::create_dir(&folder).unwrap();
        let _listener = with_path(&folder, NAME, UnixListener::bind).unwrap();
        with_path(&folder, NAME, UnixStream::connect).unwrap();
        assert!(folder.join(NAME).exists());
    }
}
