use std::collections::BTreeSet;

use berth_progress::Nobody;
use berth_spec::Digest;

use crate::contents::all_blobs;
use crate::folder::Folder;
use crate::process::{Process, later};

/// What a registry does every now and then. Asserts that nothing is held any more that would keep it
/// from doing so.
pub(crate) async fn tidy(process: &Process) {
    for (digest, _) in all_blobs() {
        let removing = process.registry.blob_guards().removing(&digest);
        assert!(
            removing.is_some(),
            "{digest} is guarded by nobody who lives"
        );
    }
    process.registry.expire_uploads(later(2)).await.unwrap();
    process.registry.remove_orphaned_uploads().await.unwrap();
    process.collector.sweep(true, &Nobody).await.unwrap();
    let staged = process.stored.blobs.staged().await.unwrap();
    assert_eq!(staged, [], "a session is claimed by nobody who lives");
}

/// Asserts that a folder has the files of these blobs, and no others.
pub(crate) fn assert_has_only(folder: &Folder, blobs: &BTreeSet<Digest>) {
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let found: BTreeSet<String> = folder.files("blobs").into_iter().map(name).collect();
    let expected = blobs.iter().map(|digest| digest.hex().to_owned());
    assert_eq!(found, expected.collect());
    assert_eq!(
        folder.files("uploads"),
        [""; 0].map(std::path::PathBuf::from)
    );
}
