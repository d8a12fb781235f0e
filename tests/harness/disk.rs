use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A disk in memory that only those see who enter, until this is dropped.
pub(crate) struct Disk {
    /// Keeps the namespace in which the disk is mounted.
    keeper: Child,
    place: PathBuf,
}

impl Disk {
    /// Mounts a disk of this size on a folder.
    pub(crate) fn mount(place: &Path, mebibytes: u32) -> Self {
        const MOUNT: &str = r#"mount -t tmpfs -o size="$1" disk "$2" && echo mounted && exec cat"#;
        let mut keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"])
            .arg(format!("{mebibytes}m"))
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(keeper.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n");
        Self {
            keeper,
            place: place.to_owned(),
        }
    }

    /// What to put before a command that is to see the disk.
    pub(crate) fn enter(&self) -> Vec<String> {
        let keeper = self.keeper.id().to_string();
        [
            "nsenter",
            "--preserve-credentials",
            "--user",
            "--mount",
            "--target",
            &keeper,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// From now on, nothing on the disk can be opened for writing, made, renamed or removed. What is
    /// open stays open: as long as that is so, the kernel refuses to remount the disk itself.
    pub(crate) fn make_read_only(&self) {
        self.run(r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1""#);
    }

    /// Takes [`Disk::make_read_only`] back.
    pub(crate) fn make_writable(&self) {
        self.run(r#"umount -l "$1""#);
    }

    fn run(&self, script: &str) {
        let enter = self.enter();
        let status = Command::new(&enter[0])
            .args(&enter[1..])
            .args(["sh", "-c", script, "sh"])
            .arg(&self.place)
            .status();
        assert!(status.unwrap().success(), "{script}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
