//! What a quantized backbone costs, in a few words.

use crate::backbone::quantize::Fidelity;
use crate::metrics::point_number;

/// The certificate in a few words.
pub(super) fn summary(fidelity: &Fidelity) -> String {
    let heads = fidelity.heads.as_ref().map(|heads| {
        let [low, high] = heads.interval.map(point_number);
        format!(", accuracy {} points ({low} to {high})", point_number(heads.difference))
    });
    format!(
        "{} of {} on {}: centred cosine {:.4}{}",
        fidelity.format.name(),
        fidelity.parent,
        fidelity.provider,
        fidelity.centred_cosine.mean,
        heads.unwrap_or_default()
    )
}
