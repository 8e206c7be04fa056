//! A disk that forgets: the log of changes that the program made through its `fs` door, and what may be left of them after
//! a power loss at any point. Only what POSIX guarantees is kept: the bytes of a file once it was fsynced, a name once
//! its folder was. Anything else may or may not be there, in any combination; a file whose bytes were not synced may be
//! whole, empty or cut short.

use headstart::io::fs::{Change, Watch, Watcher, watch};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Changes in the order in which they were made, with paths relative to the watched folder.
#[derive(Default)]
pub struct Log {
    root: PathBuf,
    changes: Mutex<Vec<Made>>,
}

enum Made {
    CreateFolder(PathBuf),
    Write(PathBuf, Vec<u8>),
    Append(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Exchange(PathBuf, PathBuf),
    HardLink(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Log {
    /// Begins to log what happens below `root`, which is empty now.
    pub fn of(root: &Path) -> (Arc<Self>, Watch) {
        let log = Arc::new(Self { root: root.to_path_buf(), changes: Mutex::default() });
        let watching = watch(root, log.clone());
        (log, watching)
    }

    pub fn len(&self) -> usize {
        self.changes.lock().unwrap().len()
    }

    /// Every state that a power loss after `changes` of the changes may leave.
    pub fn states(&self, changes: usize) -> Vec<State> {
        self.states_without(changes, usize::MAX)
    }

    /// The same if the program had left one of the changes out.
    pub fn states_without(&self, changes: usize, left_out: usize) -> Vec<State> {
        let mut disk = Disk::default();
        for (i, made) in self.changes.lock().unwrap()[..changes].iter().enumerate() {
            if i != left_out {
                disk.make(made);
            }
        }
        disk.states()
    }

    /// The places of the changes that make the bytes of a file durable, and of those that make names durable.
    pub fn syncs(&self) -> [Vec<usize>; 2] {
        let changes = self.changes.lock().unwrap();
        let find = |is: fn(&Made) -> bool| (0..changes.len()).filter(|&i| is(&changes[i])).collect();
        [find(|made| matches!(made, Made::SyncFile(_))), find(|made| matches!(made, Made::SyncFolder(_)))]
    }
}

impl Watcher for Log {
    fn before(&self, change: &Change) -> std::io::Result<()> {
        let own = |path: &Path| path.strip_prefix(&self.root).unwrap().to_path_buf();
        let made = match change {
            Change::CreateFolder(path) => Made::CreateFolder(own(path)),
            Change::Write(path, bytes) => Made::Write(own(path), bytes.to_vec()),
            Change::Append(path, bytes) => Made::Append(own(path), bytes.to_vec()),
            Change::SyncFile(path) => Made::SyncFile(own(path)),
            Change::SyncFolder(path) => Made::SyncFolder(own(path)),
            Change::Rename(from, to) => Made::Rename(own(from), own(to)),
            Change::Exchange(a, b) => Made::Exchange(own(a), own(b)),
            Change::HardLink(from, to) => Made::HardLink(own(from), own(to)),
            Change::RemoveFile(path) | Change::RemoveFolder(path) => Made::Remove(own(path)),
        };
        self.changes.lock().unwrap().push(made);
        Ok(())
    }
}

/// An inode; number 0 is the watched folder.
type Inode = usize;

/// Names that come, go or change their inode together, in one folder.
#[derive(Clone)]
struct Names {
    folder: Inode,
    set: Vec<(String, Option<Inode>)>,
    is_durable: bool,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    is_durable: bool,
}

#[derive(Default)]
struct Disk {
    /// All changes of names so far.
    names: Vec<Names>,
    files: BTreeMap<Inode, File>,
    /// Folders, as a program sees them that is still running.
    folders: BTreeMap<Inode, BTreeMap<String, Inode>>,
    next: Inode,
}

/// What is left: folders (`None`) and files by path.
pub type State = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Disk {
    fn make(&mut self, made: &Made) {
        self.folders.entry(0).or_default();
        match made {
            Made::CreateFolder(path) => {
                let inode = self.new_inode();
                self.folders.insert(inode, BTreeMap::new());
                self.name(&[(path, Some(inode))]);
            }
            Made::Write(path, bytes) => {
                let inode = self.find(path).unwrap_or_else(|| {
                    let inode = self.new_inode();
                    self.name(&[(path, Some(inode))]);
                    inode
                });
                self.files.insert(inode, File { bytes: bytes.clone(), is_durable: false });
            }
            Made::Append(path, bytes) => {
                let inode = self.find(path).expect("a file that was written");
                let file = self.files.get_mut(&inode).expect("a file that was written");
                file.bytes.extend(bytes);
                file.is_durable = false;
            }
            Made::SyncFile(path) => {
                let inode = self.find(path).unwrap();
                self.files.get_mut(&inode).unwrap().is_durable = true;
            }
            Made::SyncFolder(path) => {
                let folder = self.find(path).unwrap();
                self.names.iter_mut().filter(|n| n.folder == folder).for_each(|n| n.is_durable = true);
            }
            Made::Rename(from, to) => {
                let inode = self.find(from);
                match from.parent() == to.parent() {
                    true => self.name(&[(from, None), (to, inode)]),
                    // Two folders need not reach the disk together.
                    false => {
                        self.name(&[(to, inode)]);
                        self.name(&[(from, None)]);
                    }
                }
            }
            Made::Exchange(a, b) => {
                let (inode_a, inode_b) = (self.find(a), self.find(b));
                self.name(&[(a, inode_b), (b, inode_a)]);
            }
            Made::HardLink(from, to) => self.name(&[(to, self.find(from))]),
            Made::Remove(path) => {
                let inside = self.find(path).and_then(|inode| self.folders.get(&inode)).cloned();
                let inside: Vec<PathBuf> =
                    inside.into_iter().flatten().map(|(name, _)| path.join(name)).collect();
                if !inside.is_empty() {
                    self.name(&inside.iter().map(|path| (path, None)).collect::<Vec<_>>());
                }
                self.name(&[(path, None)]);
            }
        }
    }

    fn new_inode(&mut self) -> Inode {
        self.next += 1;
        self.next
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        path.iter().try_fold(0, |folder, name| self.folders[&folder].get(name.to_str().unwrap()).copied())
    }

    fn name(&mut self, set: &[(&PathBuf, Option<Inode>)]) {
        let folder = self.find(set[0].0.parent().unwrap()).unwrap();
        let text = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
        let set: Vec<_> = set.iter().map(|(path, inode)| (text(path), *inode)).collect();
        let names = Names { folder, set, is_durable: false };
        apply(&names, &mut self.folders);
        self.names.push(names);
    }

    fn states(&self) -> Vec<State> {
        let open: Vec<usize> = (0..self.names.len()).filter(|&i| !self.names[i].is_durable).collect();
        assert!(open.len() <= 12, "{} changes of names are not durable", open.len());
        let mut states = Vec::new();
        for kept in 0..1usize << open.len() {
            let is_kept = |i: usize| open.iter().position(|&o| o == i).is_none_or(|at| kept >> at & 1 == 1);
            let mut folders: BTreeMap<Inode, BTreeMap<String, Inode>> =
                self.folders.keys().map(|inode| (*inode, BTreeMap::new())).collect();
            (0..self.names.len()).filter(|&i| is_kept(i)).for_each(|i| apply(&self.names[i], &mut folders));
            for share in [2, 1, 0] {
                let state = self.walk(&folders, share);
                if !states.contains(&state) {
                    states.push(state);
                }
            }
        }
        states
    }

    /// What can be reached from the watched folder, where a file that was not synced keeps `halves` halves of its bytes.
    fn walk(&self, folders: &BTreeMap<Inode, BTreeMap<String, Inode>>, halves: usize) -> State {
        let mut state = State::new();
        let mut open = vec![(PathBuf::new(), 0)];
        while let Some((path, folder)) = open.pop() {
            for (name, inode) in folders.get(&folder).into_iter().flatten() {
                let path = path.join(name);
                match self.files.get(inode) {
                    Some(File { bytes, is_durable }) => {
                        let left = if *is_durable { bytes.len() } else { bytes.len() * halves / 2 };
                        state.insert(path, Some(bytes[..left].to_vec()));
                    }
                    None => {
                        state.insert(path.clone(), None);
                        open.push((path, *inode));
                    }
                }
            }
        }
        state
    }
}

fn apply(names: &Names, folders: &mut BTreeMap<Inode, BTreeMap<String, Inode>>) {
    let folder = folders.entry(names.folder).or_default();
    for (name, inode) in &names.set {
        match inode {
            Some(inode) => folder.insert(name.clone(), *inode),
            None => folder.remove(name),
        };
    }
}

/// Puts a state on a real disk.
pub fn lay(state: &State, root: &Path) {
    for (path, bytes) in state {
        match bytes {
            None => std::fs::create_dir(root.join(path)).unwrap(),
            Some(bytes) => std::fs::write(root.join(path), bytes).unwrap(),
        }
    }
}
