//! `headstart predict`

use super::text::{percent, printable, table};
use super::{Ended, Global, complain_of, parse, print, progress::Terminal};
use crate::backbone::Device;
use crate::error::Result;
use crate::predict::{Answer, PredictConfig, predict, refused};
use std::path::PathBuf;

/// Classify image files with a run; the text shows the five most probable classes of each, the JSON all.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart predict runs/first holiday.jpg --reject 0.05")]
pub(super) struct Args {
    /// The run that `train` wrote
    run: PathBuf,
    /// Image files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Where to run: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Answer `unknown` where an image lies too far from every class; this share of known images may too, such as 0.05
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    reject: Option<f64>,
}

/// Classes shown for each image in the text; the JSON has all.
const SHOWN: usize = 5;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let Args { run, images, device, reject } = args;
    let config = PredictConfig { run, images, device, models: global.models.clone(), reject };
    let answers = predict(&config, terminal)?;
    let ended = complain_of(&refused(&answers));
    print(global, &answers, || told(&answers))?;
    Ok(ended)
}

pub(super) fn told(answers: &[Answer]) -> String {
    let mut out = String::new();
    for answer in answers.iter().filter(|answer| answer.reason.is_none()) {
        if let Some(judged) = answer.judged.as_ref().filter(|judged| judged.unknown) {
            let share = percent(judged.p_value);
            let path = printable(&answer.path);
            out.push_str(&format!(
                "{path}\n  unknown: no more than {share} of known images lie so far off\n"
            ));
            continue;
        }
        let row = |p: &crate::predict::Ranked| vec![format!("  {}", p.label), percent(p.probability)];
        let rows: Vec<_> = answer.predictions.iter().take(SHOWN).map(row).collect();
        out.push_str(&format!("{}\n{}", answer.path, table(&rows)));
    }
    out
}
