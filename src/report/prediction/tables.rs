//! Tables of predictions, as the page shows them and as CSV files.

use crate::evaluate::predict::FilePrediction;
use crate::report::format::count;
use crate::report::page::{Cell, Column, Table};

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
