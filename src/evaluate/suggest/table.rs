//! The table of suggested images, with a column of labels to fill in.

use super::suggestion::{SuggestStats, Suggestion};
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, OutputFormat};
use crate::io::separated;
use std::path::Path;

/// Somebody may have filled in any table that is there.
const OUTPUT: OutputFormat = OutputFormat { name: "table of labels", is_own: &|_| false };

/// Checks that a table may be written to `out`.
///
/// # Errors
/// [`Kind::Usage`] when its name does not end with `.csv`; [`Kind::Input`] when a file is in the way.
pub fn check_labels_output(out: &Path) -> Result<()> {
    let is_csv = out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if !is_csv && !fs::is_stream(out) {
        return Err(Error::new(Kind::Usage, "a table of labels is written as CSV")
            .at(out)
            .help("let the name in `out` end with .csv"));
    }
    fs::check_output(out, OUTPUT)
}

/// Writes a row for each suggested image with an empty label, in their order. A file that is there is never replaced.
///
/// # Errors
/// Those of [`check_labels_output`]; [`Kind::Io`] when the file cannot be written.
pub fn write_labels(stats: &SuggestStats, out: &Path) -> Result<()> {
    check_labels_output(out)?;
    fs::write_output(out, OUTPUT, |file| {
        let mut table = separated::Writer::new(file, b',');
        let heading = ["path", "label", "answer", "probability", "margin", "entropy", "distance"];
        let rows = stats.images.iter().map(row);
        let written = table.write(heading).and_then(|()| {
            rows.into_iter().try_for_each(|row| table.write(row))?;
            table.finish()
        });
        written.map_err(|e| Error::io("write", out, e))
    })
}

fn row(image: &Suggestion) -> [String; 7] {
    let first = image.predictions.first();
    let number = |value: f64| format!("{value:.4}");
    [
        image.path.clone(),
        String::new(),
        first.map_or(String::new(), |class| class.label.clone()),
        first.map_or(String::new(), |class| number(class.probability)),
        number(image.uncertainty.margin),
        number(image.uncertainty.entropy),
        image.distance.map_or(String::new(), |distance| number(distance.into())),
    ]
}
