//! Encodes a matrix as a NumPy file.

/// Encodes `values`, `[rows, width]` in row-major order, as a NumPy file of version 1.0 (NumPy Enhancement Proposal 1):
/// magic bytes, version, length of the header, and the header padded so that the data begin at a multiple of 64 bytes.
pub(super) fn encode_npy(values: &[f32], width: usize) -> Vec<u8> {
    let rows = values.len() / width.max(1);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let unpadded = 10 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_padded_as_numpy_requires() {
        let file = encode_npy(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert_eq!((10 + length) % 64, 0);
        assert!(file[10..10 + length].ends_with(b"\n"));
        assert_eq!(file.len(), 10 + length + 24);
    }
}
