//! TensorFlow's TFRecord framing of an event file: length, checksum of the length, data, checksum of the data, all numbers
//! little-endian. The only user of `crc`.

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C (RFC 3720, appendix B.4).
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Appends `data` to `file` as one record.
pub(super) fn append(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(data);
    file.extend(masked(data).to_le_bytes());
}

/// Computes the checksum as it is stored, rotated and shifted, because a CRC of data that contain their own CRC is unreliable
/// (`tensorflow/core/lib/hash/crc32c.h`).
fn masked(data: &[u8]) -> u32 {
    CRC32C.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_the_rfc() {
        // RFC 3720, appendix B.4: 32 bytes of zeros, 32 of ones, and 0 to 31.
        assert_eq!(CRC32C.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC32C.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(CRC32C.checksum(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    #[test]
    fn a_record_is_framed() {
        let mut file = vec![7];
        append(&mut file, b"abc");
        assert_eq!((file.len(), &file[1..9], &file[13..16]), (20, &3u64.to_le_bytes()[..], &b"abc"[..]));
    }
}
