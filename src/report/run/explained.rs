//! Where the network looked in the most confident errors.

use super::examples::{Example, Examples};
use crate::data::thumbnail;
use crate::error::{Error, Kind, Result};
use crate::evaluate::explain::Explainer;
use crate::monitor::{Monitor, Unit};
use crate::report::explanation;
use crate::report::html::{Markup, html};
use crate::report::page::{Parts, side_by_side};
use crate::report::plot::Figure;

impl Examples {
    /// Plots what spoke for the predicted class and for the true one in each of the errors whose picture is there.
    pub fn explain(&mut self, explainer: &mut Explainer, monitor: &dyn Monitor) -> Result<()> {
        let task = monitor.task("explaining", Some(self.errors.len() as u64), Unit::Images);
        for (at, error) in self.errors.iter().enumerate() {
            if monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, "interrupted before the last error was explained"));
            }
            let figure = self.explained_error(explainer, &format!("explained-{}", at + 1), error)?;
            self.explained.extend(figure);
            task.advance(1);
        }
        Ok(())
    }

    fn explained_error(
        &self,
        explainer: &mut Explainer,
        name: &str,
        error: &Example,
    ) -> Result<Option<Figure>> {
        let (digest, stretch_16bit) = (error.image_sha256, explainer.steps().stretch_16bit);
        let read = |path: &_| thumbnail::read_verified(path, digest, stretch_16bit);
        let Ok(picture) = self.files.read(&error.path, digest, read) else { return Ok(None) };
        let predicted = explainer.explain(&picture, &error.predicted)?;
        let truth = explainer.explain(&picture, &error.truth)?;
        let classes = [("predicted", &predicted), ("truth", &truth)];
        Ok(Some(explanation::figure(name, &error.path, &picture, &classes)))
    }
}

/// The plots, below a heading; nothing where there are none.
pub(super) fn markup(examples: &Examples, parts: Parts) -> Markup {
    let plots = examples.explained.iter().map(|figure| parts.figure(&figure.name));
    html! {
        @if !examples.explained.is_empty() {
            h3 { "Where the network looked in these errors" }
            p.quiet { "Beside each picture: " (explanation::about()) }
            (side_by_side(plots))
        }
    }
}
