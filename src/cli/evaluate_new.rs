//! `headstart evaluate --images`: measures a run on images that it never saw.

use super::options::Global;
use super::output::{Outcome, list_refused, print_result};
use super::progress::Terminal;
use super::rejection_text::unknown_classes;
use super::scores_text::summary_of;
use crate::error::Result;
use crate::evaluate::predict::PredictorConfig;
use crate::report::output::PageOutput;
use crate::report::run::report_new_images;
use crate::run::StoredRun;
use crate::score::{NewImages, NewImagesConfig, evaluate_new_images};
use std::path::PathBuf;

/// Measuring on images that the run never saw.
#[derive(Debug, clap::Args)]
pub(super) struct NewImagesArgs {
    #[arg(
        long,
        value_name = "IMAGES",
        conflicts_with_all = ["split", "tta", "strangers"],
        help = "Measure on these new images instead: a folder, IMAGES/<class>/<file>, such an archive, or a manifest with the columns path and \
                label, with the classes of the run; those of other classes are counted apart"
    )]
    pub images: Option<PathBuf>,
    /// Count images that the run was trained or validated on too, which are an error otherwise
    #[arg(long, requires = "images")]
    allow_overlap: bool,
    /// Cache to keep the features of the new images in
    #[arg(long, value_name = "CACHE", requires = "images")]
    cache: Option<PathBuf>,
    /// Also write the page of the run with these scores; an earlier page of headstart is replaced
    #[arg(long, value_name = "FILE", requires = "images")]
    html: Option<PathBuf>,
}

/// Measures on new images.
pub(super) fn run(
    args: NewImagesArgs,
    images: PathBuf,
    predictor: PredictorConfig,
    global: &Global,
    terminal: &Terminal,
) -> Result<Outcome> {
    let output = args.html.map(|out| PageOutput { out, plots: None, tables: None });
    if let Some(output) = &output {
        output.check(Some(&images), None)?;
    }
    let mut config = NewImagesConfig::new(predictor, images);
    (config.allow_overlap, config.cache) = (args.allow_overlap, args.cache);
    terminal.stop_on_signals();
    let measured = evaluate_new_images(&config, terminal)?;
    let stored = StoredRun::open(&config.predictor.run)?;
    let page = output.map(|output| report_new_images(&stored, &measured, &output, terminal)).transpose()?;
    let ended = list_refused(&measured.refused);
    print_result(global, &measured, || {
        let page = page.map_or(String::new(), |page| format!("{}\n", page.out.display()));
        format!("{}{page}", summary_of("new images:", &measured.scores, &beside_scores(&measured)))
    })?;
    Ok(ended)
}

/// Classes that the run does not know, and images that it knows already.
fn beside_scores(measured: &NewImages) -> String {
    let overlap = match measured.overlap {
        0 => String::new(),
        n => format!("train or validation images of the run among them, which raises the accuracy: {n}\n"),
    };
    unknown_classes(&measured.unknown_classes) + &overlap
}
