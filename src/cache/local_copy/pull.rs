//! Copies the objects that are new or have changed, and removes the copies of those that are gone.

use super::super::part::keys_without_features;
use super::LocalCopy;
use super::files::{self, is_copied, is_named_by_content};
use super::state::State;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::io::store::ObjectFacts;
use crate::math::parallel::in_parallel;
use crate::monitor::{Monitor, Unit};
use std::collections::BTreeSet;

/// Objects that are read or written at a time.
pub(super) const AT_A_TIME: usize = 8;

impl LocalCopy {
    /// Makes the copy that of the objects as they are now.
    pub(super) fn pull(&mut self, monitor: &dyn Monitor) -> Result<()> {
        let mut objects = self.store.objects("")?;
        objects.retain(|object| is_copied(&object.name));
        let names: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
        let local = files::list(&self.cache)?;
        let gone = local.keys().filter(|name| !names.contains(name.as_str()));
        gone.map(|name| fs::remove(&self.cache.join(name))).collect::<Result<Vec<_>>>()?;
        let is_missing =
            |object: &&ObjectFacts| !self.state.is_current(object, local.get(&object.name).copied());
        let missing: Vec<&ObjectFacts> = objects.iter().filter(is_missing).collect();
        let task = monitor.task("copying objects", Some(missing.len() as u64), Unit::Parts);
        in_parallel(AT_A_TIME, &missing, |object| {
            if monitor.is_interrupted() {
                let interrupted =
                    Error::new(Kind::Interrupted, "interrupted while the cache was being copied");
                return Err(interrupted.at(self.store.path("")));
            }
            self.fetch(object)?;
            task.advance(1);
            Ok(())
        })?;
        self.state = State::of(objects, &files::list(&self.cache)?);
        self.state.write(&self.folder)
    }

    fn fetch(&self, object: &ObjectFacts) -> Result<()> {
        let path = self.cache.join(&object.name);
        path.parent().map_or(Ok(()), fs::create_folder)?;
        if self.has_only_keys && is_named_by_content(&object.name) {
            let fetch = |range| self.store.read_range(object, range);
            match keys_without_features(object.bytes, &self.store.path(&object.name), fetch) {
                Ok(bytes) => return fs::write_atomic(&path, &bytes),
                // A damaged part is found in the copy as in any cache.
                Err(e) if e.kind() == Kind::Cache => {}
                Err(e) => return Err(e),
            }
        }
        fs::write_atomic_with(&path, |out| self.store.copy_out(object, out))
    }
}
