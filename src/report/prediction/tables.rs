//! Tables of predictions, as the page shows them and as CSV files.

use crate::evaluate::predict::FilePrediction;
use crate::report::format::count;
use crate::report::page::{Cell, Column, Table};

/// All tables of the page: of the files that were `used`, and of the `refused` ones.
pub(super) fn all(used: &[&FilePrediction], files_refused: &[&FilePrediction]) -> Vec<Table> {
    let answers = answers("predictions", "Answers", used);
    vec![answers, classes(used), neighbours(used), refused(files_refused)]
}

/// One answer for each image. An image that is rejected has the answer `unknown`.
pub(super) fn answers(name: &str, caption: &str, files: &[&FilePrediction]) -> Table {
    let columns = [
        Column::new("Image", "path"),
        Column::new("Answer", "answer"),
        Column::new("Most probable class", "predicted"),
        Column::new("Probability", "probability"),
        Column::new("p of a known class", "p_known"),
    ];
    let rows = files.iter().filter_map(|file| {
        let prediction = &file.prediction;
        let first = prediction.predictions.first()?;
        Some([
            Cell::text(&file.path),
            Cell::text(prediction.answer()?),
            Cell::text(&first.label),
            Cell::percent(first.probability),
            Cell::score(prediction.open_set.as_ref().map(|score| score.p_value)),
        ])
    });
    Table::new(name, caption, columns, rows)
}

/// All classes of each image with their probabilities.
pub(super) fn classes(files: &[&FilePrediction]) -> Table {
    let columns = [
        Column::new("Image", "path"),
        Column::new("Rank", "rank"),
        Column::new("Class", "label"),
        Column::new("Probability", "probability"),
    ];
    let rows = files.iter().flat_map(|file| {
        file.prediction.predictions.iter().enumerate().map(|(rank, class)| {
            [
                Cell::text(&file.path),
                Cell::count(rank + 1),
                Cell::text(&class.label),
                Cell::percent(class.probability),
            ]
        })
    });
    Table::new("answers", "Classes by probability", columns, rows)
}

/// The nearest cached images of each image.
pub(super) fn neighbours(files: &[&FilePrediction]) -> Table {
    let columns = [
        Column::new("Image", "path"),
        Column::new("Cached image", "cached_path"),
        Column::new("Class", "label"),
        Column::new("Split", "split"),
        Column::new("Distance", "distance"),
    ];
    let rows = files.iter().flat_map(|file| {
        file.prediction.neighbours.iter().flatten().map(|neighbour| {
            [
                Cell::text(&file.path),
                Cell::text(&neighbour.path),
                Cell::text(&neighbour.label),
                Cell::text(neighbour.split.name()),
                Cell::four_decimals(neighbour.distance),
            ]
        })
    });
    Table::new("neighbours", "Nearest cached images", columns, rows)
}

/// The files that cannot be used.
pub(super) fn refused(files: &[&FilePrediction]) -> Table {
    let columns = [Column::new("File", "path"), Column::new("Reason", "reason")];
    let rows = files.iter().map(|file| {
        let reason = file.reason.as_ref().map_or(String::new(), ToString::to_string);
        [Cell::text(&file.path), Cell::text(reason)]
    });
    Table::new("refused", format!("Files that cannot be used: {}", count(files.len())), columns, rows)
}
