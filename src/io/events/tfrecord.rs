//! TensorFlow's TFRecord framing of an event file: length, checksum of the length, data, checksum of the data, all numbers
//! little-endian.

use crate::io::crc32c::masked;

/// Appends `data` to `file` as one record.
pub(super) fn append(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&[&length]).to_le_bytes());
    file.extend(data);
    file.extend(masked(&[data]).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed() {
        let mut file = vec![7];
        append(&mut file, b"abc");
        assert_eq!((file.len(), &file[1..9], &file[13..16]), (20, &3u64.to_le_bytes()[..], &b"abc"[..]));
    }
}
