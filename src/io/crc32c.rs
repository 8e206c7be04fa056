//! CRC-32C as TensorFlow stores it. The only user of `crc`.

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C (RFC 3720, appendix B.4).
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Computes the checksum of `parts` in a row as it is stored, rotated and shifted, because a CRC of data that contain their
/// own CRC is unreliable (`tensorflow/core/lib/hash/crc32c.h`).
pub fn masked(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC32C.digest();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_the_rfc() {
        // RFC 3720, appendix B.4: 32 bytes of zeros, 32 of ones, and 0 to 31.
        assert_eq!(CRC32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC32C.checksum(&[0xff; 32]), 0x62a8_ab43);
        let counted: Vec<u8> = (0..32).collect();
        assert_eq!(CRC32C.checksum(&counted), 0x46dd_794e);
        assert_eq!(masked(&[&counted]), masked(&[&counted[..5], &counted[5..]]));
    }
}
