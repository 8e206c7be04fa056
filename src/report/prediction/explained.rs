//! Where the network looked: a plot for each image whose answer is explained.

use super::pictures::UsedFile;
use crate::data::thumbnail;
use crate::error::Result;
use crate::math::parallel;
use crate::report::explanation;
use crate::report::html::{Markup, html};
use crate::report::plot::Figure;
use crate::run::Record;

/// The plots of those of `used` that are explained and still have the bytes that were.
pub(super) fn figures(used: &[UsedFile], record: &Record) -> Result<Vec<Figure>> {
    let stretch_16bit = record.spec.preprocessing.steps.stretch_16bit;
    let numbered: Vec<(usize, &UsedFile)> = used.iter().enumerate().collect();
    let figure = |(at, used): &(usize, &UsedFile)| {
        let UsedFile { path, file } = used;
        let picture = || thumbnail::read_verified(path, file.image_sha256?, stretch_16bit).ok();
        let explained = || {
            let explanation = file.explanation.as_ref()?;
            let classes = [("for and against", explanation)];
            Some(explanation::figure(&name(*at), &file.path, &picture()?, &classes))
        };
        Ok(explained())
    };
    let figures = parallel::in_parallel(parallel::thread_count(0), &numbered, figure)?;
    Ok(figures.into_iter().flatten().collect())
}

fn name(at: usize) -> String {
    format!("explained-{}", at + 1)
}

/// The plot of the image at index `at`.
pub(super) fn of(figures: &[Figure], at: usize) -> Option<&Figure> {
    let name = name(at);
    figures.iter().find(|figure| figure.name == name)
}

pub(super) fn about() -> Markup {
    html! { p { "Beside each picture: " (explanation::about()) } }
}
