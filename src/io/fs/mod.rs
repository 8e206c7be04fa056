//! The file system as this project uses it: whole files and folders replaced atomically and durably, one writer at a
//! time. A finished file is never edited.

mod atomic;
mod change;
mod files;
mod identity;
mod lock;
mod path;
mod replace;
mod space;

pub use atomic::{copy_verified, hard_link_verified, write_atomic};
pub use change::{Change, Watch, Watcher, watch};
pub use files::{
    FolderEntry, create_folder, hard_link, list, read, remove, remove_leftovers, rename, sync_folder,
};
pub use identity::{FolderIdentity, identity};
pub use lock::Lock;
pub use path::{TEMPORARY_PREFIX, resolve, temporary_path, unfinished_target};
pub use replace::{check_exchange, exchange_folders, replace_folder, write_folder};
pub use space::require_space;
