use std::io;
use std::path::{Path, PathBuf};

use berth_spec::RepositoryName;

use crate::Finding;
use crate::folder::Folder;
use crate::source::Repositories;

/// Looks for repositories in a folder and all below it: those of which `is_repository` holds. `is_inside` tells of the names of
/// folders that belong to a repository and hold none. Blocks.
pub(crate) fn find_repositories(
    folder: &Folder,
    root: &Path,
    is_repository: impl Fn(&Path) -> bool,
    is_inside: impl Fn(&str) -> bool,
) -> io::Result<Repositories> {
    let mut found = Repositories::default();
    let mut waiting = vec![PathBuf::new()];
    while let Some(name) = waiting.pop() {
        let path = root.join(&name);
        if name != Path::new("") && is_repository(&path) {
            match name.to_string_lossy().parse::<RepositoryName>() {
                Ok(name) => found.names.push(name),
                Err(error) => {
                    let place = folder.path(&path);
                    found
                        .findings
                        .push(Finding::unreadable(place.display(), error));
                }
            }
        }
        let folders = folder.folders(&path)?.into_iter();
        waiting.extend(
            folders
                .filter(|inner| !is_inside(inner))
                .map(|inner| name.join(inner)),
        );
    }
    found.names.sort_unstable();
    Ok(found)
}
