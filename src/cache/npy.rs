//! The header of a NumPy file.

/// Bytes with which a NumPy file begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Encodes the header of a NumPy file of version 1.0 (NumPy Enhancement Proposal 1) for a matrix of float32, `[rows, width]`
/// in row-major order: magic bytes, version, length of the header, and the header padded so that the data begin at a
/// multiple of 64 bytes.
pub(super) fn npy_header(rows: usize, width: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_padded_as_numpy_requires() {
        let header = npy_header(2, 3);
        assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([header[8], header[9]]));
        assert_eq!((header.len(), header.len() % 64), (10 + length, 0));
        assert!(header.ends_with(b"\n"));
    }
}
