//! Writes back what was changed in a copy.

use super::super::plan::{HEADER, PLAN};
use super::LocalCopy;
use super::files;
use super::pull::AT_A_TIME;
use super::state::State;
use crate::error::{Error, Kind, Result};
use crate::math::parallel::in_parallel;
use crate::monitor::{Monitor, Unit};
use std::collections::HashSet;

/// What was changed, by the names of objects.
#[derive(Default)]
struct Changes {
    written: Vec<String>,
    removed: Vec<String>,
}

impl LocalCopy {
    /// Writes the files that are new or have changed since they were copied, and removes the objects whose files are gone. The
    /// header of a plan is removed before and written after everything that belongs to it, so that workers never see half a plan.
    pub(super) fn push(&mut self, monitor: &dyn Monitor) -> Result<()> {
        let local = files::list(&self.cache)?;
        let changes = Changes {
            written: local
                .iter()
                .filter(|(name, stamp)| !self.state.is_unchanged_file(name, **stamp))
                .map(|(name, _)| name.clone())
                .collect(),
            removed: self.state.names().filter(|name| !local.contains_key(*name)).cloned().collect(),
        };
        if changes.written.is_empty() && changes.removed.is_empty() {
            return Ok(());
        }
        self.check_others(&changes)?;
        let Changes { written, removed } = changes;
        let (header, written): (Vec<_>, Vec<_>) = written.into_iter().partition(|name| name == HEADER);
        let (of_plan, others): (Vec<_>, Vec<_>) =
            written.into_iter().partition(|name| name.starts_with(&format!("{PLAN}/")));
        self.write(&others, monitor)?;
        if self.state.contains(HEADER) && (!header.is_empty() || !local.contains_key(HEADER)) {
            self.store.remove_all(vec![HEADER.to_string()])?;
        }
        self.store.remove_all(removed)?;
        self.write(&of_plan, monitor)?;
        self.write(&header, monitor)?;
        if self.is_kept {
            self.state = State::of(self.store.objects("")?, &local);
            self.state.write(&self.folder)?;
        }
        Ok(())
    }

    fn write(&self, names: &[String], monitor: &dyn Monitor) -> Result<()> {
        let task = monitor.task("writing objects", Some(names.len() as u64), Unit::Parts);
        in_parallel(AT_A_TIME, names, |name| {
            self.store.copy_in(name, &self.cache.join(name))?;
            task.advance(1);
            Ok(())
        })?;
        Ok(())
    }

    /// Checks that nobody has changed the objects that are to be replaced or removed.
    ///
    /// # Errors
    /// [`Kind::Locked`] with the name of one that somebody has.
    fn check_others(&self, changes: &Changes) -> Result<()> {
        let now = self.store.objects("")?;
        let touched: HashSet<&String> = changes.written.iter().chain(&changes.removed).collect();
        let other = now
            .iter()
            .find(|object| touched.contains(&object.name) && !self.state.is_unchanged_object(object));
        match other {
            None => Ok(()),
            Some(object) => Err(Error::new(Kind::Locked, "another process has changed it in the meantime")
                .at(self.store.path(&object.name))
                .help("run the command again: it begins with what is there now")),
        }
    }
}
