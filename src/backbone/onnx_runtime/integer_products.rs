//! Whether this processor adds products of bytes without a loss. Those of x86 without VNNI add two products of an unsigned and a
//! signed byte in 16 bits, which overflow where weights use all 8 bits.

use crate::backbone::Device;
use crate::error::{Error, Kind, Result};

/// Returns the bits that integer weights may use on this processor: 8, or 7 where sums of products would overflow.
pub(in crate::backbone) fn weight_bits() -> u32 {
    if is_exact() { 8 } else { 7 }
}

#[cfg(target_arch = "x86_64")]
fn is_exact() -> bool {
    is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn is_exact() -> bool {
    true
}

/// Refuses a network with weights of `bits` on a processor that would compute something else.
///
/// # Errors
/// [`Kind::Device`] when `device` may be such a processor.
pub(super) fn check(bits: Option<&str>, device: Device) -> Result<()> {
    check_for(bits, device, weight_bits())
}

fn check_for(bits: Option<&str>, device: Device, most: u32) -> Result<()> {
    let is_on_cpu = !device.is_cuda();
    match bits.and_then(|bits| bits.parse::<u32>().ok()) {
        Some(bits) if bits > most && is_on_cpu => {
            let message = format!(
                "the network has weights of {bits} bits, and this processor (without VNNI) loses parts of their products"
            );
            Err(Error::new(Kind::Device, message)
                .help("run `quantize` on this machine, or use the network of floats"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_8_bits_are_refused_where_products_overflow() {
        let error = check_for(Some("8"), Device::Cpu, 7).unwrap_err();
        assert!(error.kind() == Kind::Device && error.to_string().contains("without VNNI"), "{error}");
        assert!(check_for(Some("8"), Device::Auto, 7).is_err());
        for (bits, device, most) in [
            (Some("7"), Device::Cpu, 7),
            (Some("8"), Device::Cpu, 8),
            (None, Device::Cpu, 7),
            (Some("8"), Device::CUDA, 7),
        ] {
            assert!(check_for(bits, device, most).is_ok(), "{bits:?}");
        }
        assert!(matches!(weight_bits(), 7 | 8));
    }
}
