//! The subcommand `headstart backbone quantize`: its arguments, and certificates as text.

use crate::backbone::BackboneChoice;
use crate::backbone::quantize::{Fidelity, QuantizeConfig, QuantizeStats, quantize};
use crate::cli::options::{Global, PREPROCESS};
use crate::cli::output::{Outcome, list_refused, print_result};
use crate::cli::progress::Terminal;
use crate::error::Result;
use crate::metrics::{percent_number, point_number};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Quantize {
    /// Name of an installed backbone, or path of an ONNX file
    #[arg(value_name = "NAME|FILE.onnx")]
    backbone: String,
    /// Folder of images in class folders, such as those that the backbone is for
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Name of the new backbone
    #[arg(long, value_name = "NEW")]
    name: String,
    /// Images to calibrate on, at most half of all; the others show the fidelity
    #[arg(long, value_name = "N", default_value_t = 512)]
    samples: usize,
    /// Layer to measure the fidelity at [default: that of the backbone]
    #[arg(long)]
    layer: Option<String>,
    #[arg(long, value_name = "NAME", help = PREPROCESS)]
    preprocess: Option<String>,
}

pub(super) fn run(args: Quantize, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Quantize { backbone, images, name, samples, layer, preprocess } = args;
    let models = global.models.clone();
    let choice = BackboneChoice { layer, preprocess, models, ..BackboneChoice::new(backbone) };
    let mut config = QuantizeConfig::new(choice, images, name);
    config.samples = samples;
    terminal.stop_on_signals();
    let stats = quantize(&config, terminal)?;
    let outcome = list_refused(&stats.refused);
    print_result(global, &stats, || text(&stats))?;
    Ok(outcome)
}

fn text(stats: &QuantizeStats) -> String {
    let left = stats.left_float.iter().map(|(op, count)| format!("{count} {op}"));
    format!(
        "{}, {}: {} ({:.1} MB)\n{} convolutions with integers; left in float: {}\n\n{}{}\n",
        stats.name,
        stats.title,
        stats.onnx.display(),
        stats.bytes as f64 / 1e6,
        stats.convolutions,
        left.collect::<Vec<_>>().join(", "),
        certificate(&stats.fidelity),
        stats.certificate.display()
    )
}

/// The certificate of a quantized backbone in a few lines.
pub(super) fn certificate(fidelity: &Fidelity) -> String {
    let Fidelity { cosine, centred_cosine, relative_distance, .. } = fidelity;
    let mut out = format!(
        "int8 of {}, weights of {} bits, calibrated on {} images\n{} at {} other images: mean (worst)\n\
         cosine             {:.5} ({:.5})\ncentred cosine     {:.5} ({:.5})\nrelative distance  {:.4} ({:.4})\n",
        fidelity.parent,
        fidelity.weight_bits,
        fidelity.calibration_images,
        fidelity.layer,
        fidelity.held_out_images,
        cosine.mean,
        cosine.worst,
        centred_cosine.mean,
        centred_cosine.worst,
        relative_distance.mean,
        relative_distance.worst,
    );
    out.push_str(&match &fidelity.heads {
        None => "no heads were compared: fewer than two classes have enough of these images\n".into(),
        Some(heads) => format!(
            "accuracy of heads  {} % (floats {} %), difference {} points, interval {} to {} ({} splits of {} + {} images)\n",
            percent_number(heads.quantized),
            percent_number(heads.float),
            point_number(heads.difference),
            point_number(heads.interval[0]),
            point_number(heads.interval[1]),
            heads.splits,
            heads.train_images,
            heads.test_images,
        ),
    });
    out
}

/// The certificate in a few words.
pub(super) fn summary(fidelity: &Fidelity) -> String {
    let heads = fidelity.heads.as_ref().map(|heads| {
        let [low, high] = heads.interval.map(point_number);
        format!(", accuracy {} points ({low} to {high})", point_number(heads.difference))
    });
    format!(
        "int8 of {}: centred cosine {:.4}{}",
        fidelity.parent,
        fidelity.centred_cosine.mean,
        heads.unwrap_or_default()
    )
}
