//! The subcommand `headstart backbone quantize`: its arguments, and certificates as text.

use crate::backbone::quantize::{Fidelity, NumberFormat, QuantizeConfig, QuantizeStats, quantize};
use crate::backbone::{BackboneChoice, Device};
use crate::cli::options::{Global, PREPROCESS, parse};
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
    /// Numbers of the new backbone: int8 for CPUs, f16 for GPUs
    #[arg(long, value_name = "FORMAT", default_value = "int8", value_parser = parse::<NumberFormat>)]
    format: NumberFormat,
    /// Number of images to calibrate integers on, at most half of all; the others measure the fidelity
    #[arg(long, value_name = "N", default_value_t = 512)]
    samples: usize,
    /// Centred cosine of integers to reach: the values that cost most of it stay in floats, 0 leaves none
    #[arg(long, value_name = "C", default_value_t = 0.998)]
    min_cosine: f64,
    /// Layer to measure the fidelity at [default: that of the backbone]
    #[arg(long)]
    layer: Option<String>,
    #[arg(long, value_name = "NAME", help = PREPROCESS)]
    preprocess: Option<String>,
    /// Device to measure the new backbone on, the first of several: auto, cpu, cuda, cuda:N, cuda:N,M or openvino
    #[arg(long, value_name = "D", default_value = "cpu", value_parser = parse::<Device>)]
    device: Device,
}

pub(super) fn run(args: Quantize, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let Quantize { backbone, images, name, format, samples, min_cosine, layer, preprocess, device } = args;
    let models = global.models.clone();
    let choice = BackboneChoice { layer, preprocess, models, ..BackboneChoice::new(backbone) };
    let mut config = QuantizeConfig::new(choice, images, name);
    (config.format, config.samples, config.min_cosine, config.device) = (format, samples, min_cosine, device);
    terminal.stop_on_signals();
    let stats = quantize(&config, terminal)?;
    let outcome = list_refused(&stats.refused);
    print_result(global, &stats, || text(&stats))?;
    Ok(outcome)
}

fn text(stats: &QuantizeStats) -> String {
    let left: Vec<String> = stats.left_float.iter().map(|(op, count)| format!("{count} {op}")).collect();
    let left = if left.is_empty() { "nothing".into() } else { left.join(", ") };
    let around = match &stats.float_values {
        values if values.is_empty() => String::new(),
        values => format!(" (around {})", values.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "{}, {}: {} ({:.1} MB)\n{} convolutions in {}; left in 32-bit floats: {left}{}\n\n{}{}\n",
        stats.name,
        stats.title,
        stats.onnx.display(),
        stats.bytes as f64 / 1e6,
        stats.convolutions,
        stats.fidelity.format.name(),
        around,
        certificate(&stats.fidelity),
        stats.certificate.display()
    )
}

/// The certificate of a quantized backbone in a few lines.
pub(super) fn certificate(fidelity: &Fidelity) -> String {
    let Fidelity { cosine, centred_cosine, relative_distance, .. } = fidelity;
    let calibrated = match fidelity.format {
        NumberFormat::Int8 => format!(", calibrated on {} images", fidelity.calibration_images),
        _ => String::new(),
    };
    let mut out = format!(
        "{} of {}, weights of {} bits{calibrated}\n{} at {} other images on {}: mean (worst)\n\
         cosine             {:.5} ({:.5})\ncentred cosine     {:.5} ({:.5})\nrelative distance  {:.4} ({:.4})\n",
        fidelity.format.name(),
        fidelity.parent,
        fidelity.weight_bits,
        fidelity.layer,
        fidelity.held_out_images,
        fidelity.provider,
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
