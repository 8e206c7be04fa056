//! Lists the files below a folder of images with their class folders, without opening any file.

use super::labels::ClassFolder;
use super::layout;
use super::passed_over::{self, PassedOver, pass_over};
use crate::data::dataset::{
    FolderLayout, LayoutChoice, Reason, Refused, Split, UNLABELLED, Weight, number_and_names,
};
use crate::data::decode::FileFacts;
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, FolderEntry};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Size and time of each object in object storage, by its name.
pub(super) type ObjectTable = HashMap<String, FileFacts>;

/// A file that may be an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Path relative to the folder of images, with `/` separators.
    pub path: String,
    /// Index of its class folder, or of its label in a manifest.
    pub folder: usize,
    /// Its line in a manifest.
    pub line: Option<u64>,
    /// The split that its folder or its row names.
    pub split: Option<Split>,
    /// The group that its row names.
    pub group: Option<String>,
    /// The weight that its row gives it.
    pub weight: Weight,
}

/// Everything below a folder of images.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The folder, absolute.
    pub root: PathBuf,
    /// What the folders stand for.
    pub layout: FolderLayout,
    /// The manifest that lists the files, absolute.
    pub manifest: Option<PathBuf>,
    /// Whether images have several labels, whose texts the names of `folders` are.
    pub has_label_sets: bool,
    /// The class folders, also empty ones; of a manifest the labels.
    pub folders: Vec<ClassFolder>,
    /// Files, by class folder, then by path.
    pub candidates: Vec<Candidate>,
    /// Folders that cannot be listed.
    pub refused: Vec<Refused>,
    /// Files that were passed over.
    pub passed_over: PassedOver,
    /// Remarks about the folder for a person.
    pub notes: Vec<String>,
    /// Size and time of every object, where the images are in object storage.
    pub objects: Option<ObjectTable>,
    /// Number of links that lead back to a folder above them.
    pub loops: usize,
}

/// Lists the class folders of `images` and all files below them, at any depth. Links are followed, except back to a folder
/// above them. Without a `choice`, folders that are called as splits are an error if `must_choose`, else classes.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, or its folders are not the splits that were chosen; [`Kind::Usage`] when
/// a choice is missing.
pub(super) fn list(images: &Path, choice: Option<LayoutChoice>, must_choose: bool) -> Result<Listing> {
    if let Some(obstacle) = fs::obstacle(images) {
        return Err(obstacle.of_kind(Kind::Input));
    }
    let root = std::fs::canonicalize(images).map_err(|e| {
        Error::new(Kind::Input, "no such folder of images").at(images).because(e).help(format!(
            "{}give a folder that holds one folder of images for each class",
            fs::meant_beside(images, Path::is_dir)
        ))
    })?;
    if !root.is_dir() {
        return Err(Error::new(Kind::Input, "not a folder").at(images).help("give IMAGES/<class>/<file>"));
    }
    fs::require_utf8(&root)?;
    let mut listing = Listing { root: root.clone(), ..Listing::default() };
    let (folders, stray) = listing.folders_and_files(&root)?;
    listing.note_stray(&images.display().to_string(), stray);
    let (unlabelled, folders): (Vec<_>, Vec<_>) =
        folders.into_iter().partition(|folder| folder.name == UNLABELLED);
    let names: Vec<&str> = folders.iter().map(|folder| folder.name.as_str()).collect();
    let inside = |name: &str| {
        let entries = fs::list(&root.join(name)).unwrap_or_default();
        entries.into_iter().map(|entry| (entry.name, entry.path.is_dir())).collect()
    };
    listing.choose_layout(images, &names, inside, choice, must_choose)?;
    for folder in folders {
        match listing.layout {
            FolderLayout::SplitThenClass => listing.add_split(&folder),
            _ => {
                listing.add_class(folder.name.clone(), &folder, vec![root.clone()]);
            }
        }
    }
    for folder in unlabelled {
        listing.add_class(folder.name.clone(), &folder, vec![root.clone()]);
    }
    if listing.loops > 0 {
        let note = format!("links back to a folder above them were not followed: {}", listing.loops);
        listing.notes.push(note);
    }
    listing.notes.extend(passed_over::remark(&listing.passed_over));
    listing.question_one_class(images, choice, must_choose)?;
    Ok(listing)
}

impl Listing {
    /// Decides what the folders called `names` in `images` stand for. `inside` is that of [`layout::recognise`].
    ///
    /// # Errors
    /// Those of [`layout::choose`].
    pub(super) fn choose_layout(
        &mut self,
        images: &Path,
        names: &[&str],
        inside: impl Fn(&str) -> Vec<(String, bool)>,
        choice: Option<LayoutChoice>,
        must_choose: bool,
    ) -> Result<()> {
        let seen = layout::recognise(names, inside);
        self.layout = layout::choose(images, names, seen, choice, must_choose)?;
        if self.layout != seen && choice.is_none() {
            self.notes.push(layout::remark(names, seen));
        }
        Ok(())
    }

    /// Lists the folders in `folder` and counts its files, without what is passed over.
    fn folders_and_files(&mut self, folder: &Path) -> Result<(Vec<FolderEntry>, usize)> {
        let mut entries = fs::list(folder)?;
        entries.retain(|entry| !pass_over(&entry.name, &entry.path, &mut self.passed_over));
        let all = entries.len();
        entries.retain(|entry| entry.path.is_dir());
        let files = all - entries.len();
        Ok((entries, files))
    }

    /// Adds the class folders in the folder of a split.
    fn add_split(&mut self, split: &FolderEntry) {
        let Some(above) = self.enter(&split.name, &split.path, vec![self.root.clone()]) else { return };
        match self.folders_and_files(&split.path) {
            Ok((folders, stray)) => {
                self.note_stray(&split.name, stray);
                for folder in folders {
                    self.add_class(format!("{}/{}", split.name, folder.name), &folder, above.clone());
                }
            }
            Err(e) => self.refuse_folder(&split.name, &e),
        }
    }

    /// Adds a class folder and the files below it.
    fn add_class(&mut self, path: String, folder: &FolderEntry, above: Vec<PathBuf>) {
        self.folders.push(ClassFolder { path: path.clone(), name: folder.name.clone() });
        self.descend(&path, &folder.path, above);
    }

    /// Adds the files below the folder `path`, whose path relative to the root is `name`. `above` holds the resolved folders
    /// that lead to it.
    fn descend(&mut self, name: &str, path: &Path, above: Vec<PathBuf>) {
        let Some(above) = self.enter(name, path, above) else { return };
        let entries = match fs::list(path) {
            Ok(entries) => entries,
            Err(e) => return self.refuse_folder(name, &e),
        };
        for FolderEntry { name: entry, path: file } in entries {
            if pass_over(&entry, &file, &mut self.passed_over) {
                continue;
            }
            let path = format!("{name}/{entry}");
            match file.is_dir() {
                true => self.descend(&path, &file, above.clone()),
                false => self.add_file(path),
            }
        }
    }

    fn add_file(&mut self, path: String) {
        let split = self.layout.split(&path);
        self.candidates.push(Candidate {
            path,
            folder: self.folders.len() - 1,
            line: None,
            split,
            group: None,
            weight: Weight::default(),
        });
    }

    /// Resolves a folder and returns the folders that lead to its files; `None` when it leads back or cannot be found.
    fn enter(&mut self, name: &str, path: &Path, mut above: Vec<PathBuf>) -> Option<Vec<PathBuf>> {
        match std::fs::canonicalize(path) {
            Ok(real) if above.contains(&real) => self.loops += 1,
            Ok(real) => {
                above.push(real);
                return Some(above);
            }
            Err(e) => self.refuse(name, Reason::FolderNotFound(e.to_string())),
        }
        None
    }

    /// Asks about one class all of whose files are in folders of its own: most often these folders are the classes.
    ///
    /// # Errors
    /// [`Kind::Usage`] where a choice must be made.
    pub(super) fn question_one_class(
        &mut self,
        images: &Path,
        choice: Option<LayoutChoice>,
        must_choose: bool,
    ) -> Result<()> {
        // Images without a label are of no class.
        let mut classes = self.folders.iter().enumerate().filter(|(_, folder)| folder.name != UNLABELLED);
        let (Some((index, class)), None) = (classes.next(), classes.next()) else { return Ok(()) };
        let below: Option<BTreeSet<&str>> = self
            .candidates
            .iter()
            .filter(|file| file.folder == index)
            .map(|file| {
                file.path
                    .strip_prefix(&class.path)?
                    .strip_prefix('/')?
                    .split_once('/')
                    .map(|(folder, _)| folder)
            })
            .collect();
        let below: Vec<&str> = below.unwrap_or_default().into_iter().collect();
        if below.len() < 2 || self.layout != FolderLayout::Classes || choice.is_some() {
            return Ok(());
        }
        let folders = number_and_names(&below);
        let what = format!("its only folder, {}, holds nothing but folders: {folders}", class.name);
        if must_choose {
            let message = format!("{what}; are these the classes?");
            return Err(Error::new(Kind::Usage, message).at(images).help(format!(
                "give the folder {} itself, or an archive of what is in it; or add `as_classes` to take it as the one class",
                class.name
            )));
        }
        self.notes.push(format!("{what}, and it is taken as the one class"));
        Ok(())
    }

    fn refuse_folder(&mut self, name: &str, error: &Error) {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        self.refuse(name, Reason::FolderNotListed(cause));
    }

    fn refuse(&mut self, name: &str, reason: Reason) {
        self.refused.push(Refused { path: name.into(), image_sha256: None, reason });
    }

    pub(super) fn note_stray(&mut self, folder: &str, files: usize) {
        if files > 0 {
            self.notes.push(format!("files directly in {folder} belong to no class: {files}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    /// Paths of files and of their class folders.
    fn paths(listing: &Listing) -> Vec<(&str, &str)> {
        let folder = |file: &Candidate| listing.folders[file.folder].path.as_str();
        listing.candidates.iter().map(|file| (file.path.as_str(), folder(file))).collect()
    }

    fn classes(dir: &tempfile::TempDir) -> Listing {
        list(dir.path(), None, false).unwrap()
    }

    #[test]
    fn files_at_any_depth_belong_to_the_topmost_folder() {
        let dir =
            tree(&["a b/1.JPG", "a b/deep/er/2.jpg", "é'\"/3.png", "a b/.hidden/4.png", "é'\"/Thumbs.db"]);
        let listing = classes(&dir);
        assert_eq!(
            paths(&listing),
            [("a b/1.JPG", "a b"), ("a b/deep/er/2.jpg", "a b"), ("é'\"/3.png", "é'\"")]
        );
        assert_eq!(listing.notes, ["passed over, numbers of files: Thumbs.db 1, hidden files 1"]);
    }

    #[test]
    fn what_programs_leave_is_passed_over_with_a_count() {
        let dir = tree(&[
            "cat/1",
            "cat/@eaDir/1/SYNOFILE_THUMB_M.jpg",
            "cat/@eaDir/1/SYNOFILE_THUMB_XL.jpg",
            "cat/._1",
            "cat/.ipynb_checkpoints/1",
            "__MACOSX/cat/._1",
            "#recycle/cat/2",
            "desktop.ini",
            "dog/Thumbs.db",
        ]);
        std::fs::create_dir(dir.path().join("lost+found")).unwrap();
        let listing = classes(&dir);
        assert_eq!(paths(&listing), [("cat/1", "cat")]);
        assert_eq!(listing.folders.len(), 2);
        let expected = "passed over, numbers of files: #recycle 1, ._* 1, .ipynb_checkpoints 1, @eaDir 2, Thumbs.db 1, \
                        __MACOSX 1, desktop.ini 1";
        assert_eq!(listing.notes, [expected]);
    }

    #[test]
    fn splits_that_are_folders_are_recognised_and_taken_when_asked() {
        let take = |dir: &tempfile::TempDir, choice| list(dir.path(), choice, true);
        let split =
            tree(&["train/a/1", "Valid/a/2", "test_set/b/deep/3", "train/stray", "__MACOSX/train/a/._1"]);
        let error = take(&split, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error
                .to_string()
                .ends_with("the folders are called Valid, test_set, train: are they splits or classes?")
        );
        let listing = take(&split, Some(LayoutChoice::SplitFolders)).unwrap();
        assert_eq!(
            paths(&listing),
            [("Valid/a/2", "Valid/a"), ("test_set/b/deep/3", "test_set/b"), ("train/a/1", "train/a")]
        );
        assert_eq!(listing.notes[0], "files directly in train belong to no class: 1");
        let as_classes = take(&split, Some(LayoutChoice::AsClasses)).unwrap();
        assert_eq!(as_classes.folders.len(), 3);
        assert!(!as_classes.notes.iter().any(|note| note.contains("called")), "{:?}", as_classes.notes);
        assert!(classes(&split).notes[0].starts_with("the folders are called Valid, test_set, train, and"));
        let inside = tree(&["a/train/1", "a/test/2", "b/val/3", "b/.DS_Store"]);
        assert!(take(&inside, None).unwrap_err().to_string().contains("2 (a, b) hold only folders"));
        let listing = take(&inside, Some(LayoutChoice::SplitFolders)).unwrap();
        assert_eq!(listing.layout, FolderLayout::ClassThenSplit);
        assert_eq!(paths(&listing), [("a/test/2", "a"), ("a/train/1", "a"), ("b/val/3", "b")]);
        for other in [&["a/train/1", "a/2"][..], &["a/train/1", "b/x/2"], &["train/1", "other/2"], &["a/1"]] {
            let other = tree(other);
            assert_eq!(take(&other, None).unwrap().layout, FolderLayout::Classes);
            let error = take(&other, Some(LayoutChoice::SplitFolders)).unwrap_err();
            assert!(error.to_string().contains("folders that are no splits: "), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let dir = tree(&["a/1", "a/sub/2"]);
        let elsewhere = tree(&["3"]);
        symlink(dir.path(), dir.path().join("a/sub/up")).unwrap();
        symlink(elsewhere.path(), dir.path().join("b")).unwrap();
        symlink("nowhere", dir.path().join("b/broken")).unwrap();
        let listing = classes(&dir);
        assert_eq!(paths(&listing), [("a/1", "a"), ("a/sub/2", "a"), ("b/3", "b"), ("b/broken", "b")]);
        assert!(listing.notes[0].contains("were not followed: 1"));
    }

    #[test]
    fn one_folder_around_the_classes_is_asked_about() {
        let dir = tree(&["p/bird/1", "p/cat/2"]);
        let error = list(dir.path(), None, true).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error.to_string().contains("its only folder, p, holds nothing but folders: 2 (bird, cat)"),
            "{error}"
        );
        assert!(classes(&dir).notes[0].ends_with("it is taken as the one class"));
        assert!(list(dir.path(), Some(LayoutChoice::AsClasses), true).unwrap().notes.is_empty());
        assert!(list(tree(&["p/bird/1", "p/2"]).path(), None, true).is_ok());
        let beside = tree(&["p/bird/1", "p/cat/2", "_unlabelled/3"]);
        assert_eq!(list(beside.path(), None, true).unwrap_err().kind(), Kind::Usage);
    }
}
