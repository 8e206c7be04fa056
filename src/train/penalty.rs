//! Chooses the L2 penalty of L-BFGS: by the validation images where each class has enough of them, else by folds within the
//! train images.

use super::fit_context::FitContext;
use super::inner_folds::InnerFolds;
use super::solvers::fit_heads;
use crate::error::{Error, Kind, Result};
use crate::head::SolverConfig;
use crate::monitor::Monitor;

/// Penalties that are tried.
const PATH: [f64; 13] = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6];

/// Validation images of each class that are enough to choose by.
pub(super) const ENOUGH: usize = 20;

/// Mean cross entropy on images that were not trained on, weighted by the images of each fit.
#[derive(Debug, Clone, Copy, Default)]
struct HeldOutLoss {
    sum: f64,
    images: usize,
    /// Whether a search failed.
    failed: bool,
}

/// Returns `solver` with the penalty of the smallest loss on held-out images, and reports it.
///
/// # Errors
/// [`Kind::Run`] when no penalty gives a head, [`Kind::Input`] when a class has too few images.
pub(super) fn choose(
    context: FitContext,
    solver: &SolverConfig,
    monitor: &dyn Monitor,
) -> Result<SolverConfig> {
    let candidates: Vec<SolverConfig> = PATH.iter().map(|&l2| solver.clone().with_l2(l2)).collect();
    let classes = context.set.classes();
    let least = context.splits.validation.images_per_class(classes.len()).into_iter().min();
    let mut losses = vec![HeldOutLoss::default(); candidates.len()];
    let by = if least >= Some(ENOUGH) {
        add(&mut losses, context, &candidates)?;
        String::from("on the validation images")
    } else {
        let folds = InnerFolds::of(context.splits, classes)?;
        for splits in folds.splits() {
            add(&mut losses, FitContext { splits, ..context }, &candidates)?;
        }
        format!("over {} folds within the train images", folds.len())
    };
    let mean = |loss: &HeldOutLoss| (!loss.failed).then(|| loss.sum / loss.images.max(1) as f64);
    let found = losses.iter().enumerate().filter_map(|(i, loss)| Some((i, mean(loss)?)));
    let Some((best, loss)) = found.min_by(|(_, a), (_, b)| a.total_cmp(b)) else {
        return Err(Error::new(Kind::Run, "L-BFGS reached the optimum of no penalty")
            .help("raise `iterations`, or give `l2` as a number"));
    };
    let edge = match best {
        0 => ": a larger one may be better",
        last if last + 1 == PATH.len() => ": a smaller one may be better",
        _ => "",
    };
    monitor.note(&format!(
        "l2 {} has the smallest loss {by}, {loss:.4}, of {} penalties from {} to {}{edge}",
        PATH[best],
        PATH.len(),
        PATH[0],
        PATH[PATH.len() - 1]
    ));
    Ok(candidates[best].clone())
}

/// Fits all candidates, and adds their losses on the validation rows of `context`.
fn add(losses: &mut [HeldOutLoss], context: FitContext, candidates: &[SolverConfig]) -> Result<()> {
    let images = context.splits.validation.keys.len();
    let heads = fit_heads(context, candidates, None, &mut |_, _, _| {})?;
    for (loss, head) in losses.iter_mut().zip(heads) {
        match head.fitted {
            Ok(fitted) => {
                loss.sum += images as f64 * fitted.history[0].validation_loss;
                loss.images += images;
            }
            Err(_) => loss.failed = true,
        }
    }
    Ok(())
}
