//! The file system as this project uses it: whole files and folders replaced atomically and durably, one writer at a
//! time. A finished file is never edited.

mod atomic;
mod change;
mod files;
mod identity;
mod lock;
mod output;
mod path;
mod replace;
mod snapshot;
mod space;

pub use atomic::{copy_verified, hard_link_verified, write_atomic, write_atomic_with, write_if_absent};
pub use change::{Change, Watch, Watcher, watch};
pub use files::{
    FolderEntry, append, create_folder, hard_link, list, read, remove, remove_leftovers, rename, sync_file,
    sync_folder, write_unsynced,
};
pub use identity::{FileIdentity, HeldFolder};
pub use lock::Lock;
pub use output::{OutputFormat, check_output, is_stdout, is_stream, write_output};
pub use path::{
    TEMPORARY_PREFIX, check_place, meant_beside, obstacle, parent, places_after_a_move, require_utf8,
    resolve, temporary_path, unfinished_target,
};
pub use replace::{exchange_folders, replace_folder, write_folder};
pub use snapshot::FolderSnapshot;
pub use space::{free_space, is_writable, require_space};
