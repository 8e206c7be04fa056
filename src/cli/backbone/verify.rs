//! `headstart backbone verify`: the certificate of a backbone as text.

use crate::backbone::certificate::{self, EndpointProof, Verified, VerifyBackboneConfig};
use crate::cli::options::Global;
use crate::cli::output::{Outcome, print_result};
use crate::cli::progress::Terminal;
use crate::cli::text::table_with_header;
use crate::error::Result;

pub(super) fn verify(config: &VerifyBackboneConfig, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.stop_on_signals();
    let verified = certificate::verify(config, terminal)?;
    print_result(global, &verified, || text(&verified))?;
    Ok(if verified.certificate.agrees == Some(false) { Outcome::Damaged } else { Outcome::Done })
}

fn text(verified: &Verified) -> String {
    let certificate = &verified.certificate;
    let rows = certificate.endpoints.iter().map(row);
    let source = certificate.source_sha256.as_deref().unwrap_or("not known");
    let mut out = format!(
        "{}: {}\ngraph  {}\nsource {source}\n{} on {}\n\n{}\n",
        certificate.name,
        certificate.title,
        certificate.graph_sha256,
        certificate.runtime,
        certificate.provider,
        table_with_header(["endpoint", "mean", "norm", "largest difference", "relative distance"], rows)
    );
    if let Some(distance) = certificate.distance_to_stored_answer {
        out.push_str(&format!("PreLogits, from the answer stored in headstart: {distance:.1e}\n"));
    }
    if let Some(why) = &certificate.without_reference {
        out.push_str(&format!("without a computation in float64: {why}\n"));
    }
    out.push_str(&match certificate.agrees {
        Some(true) => format!("agrees to {:.0e}: {}\n", certificate.tolerance, verified.file.display()),
        Some(false) => format!(
            "DOES NOT AGREE to {:.0e}: do not use it on this device ({})\n",
            certificate.tolerance,
            verified.file.display()
        ),
        None => format!("nothing to compare with: {}\n", verified.file.display()),
    });
    out
}

fn row(endpoint: &EndpointProof) -> [String; 5] {
    let distance = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.1e}"));
    [
        endpoint.name.clone(),
        format!("{:.5}", endpoint.mean),
        format!("{:.4}", endpoint.norm),
        distance(endpoint.largest_difference),
        distance(endpoint.relative_distance),
    ]
}
