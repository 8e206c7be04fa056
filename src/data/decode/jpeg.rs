//! JPEG through libjpeg-turbo, the decoder of Pillow, so that both give the same pixels. It fills missing blocks with grey and
//! only warns; here a picture is refused unless every block of it was decoded from the data.

#![expect(unsafe_code, reason = "libjpeg has a C interface; the only unsafe code of the crate")]

use super::limits;
use crate::data::dataset::Reason;
use mozjpeg_sys as lib;
use mozjpeg_sys::{J_COLOR_SPACE, jpeg_common_struct, jpeg_decompress_struct, jpeg_error_mgr};
use std::os::raw::{c_int, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Scans that are decoded of a small picture. Encoders write a dozen; each costs the time of reading all coefficients again.
const MAX_SCANS: u64 = 100;

/// Scans that are decoded of any picture: more than the 18 that libjpeg writes for four components.
const ANY_SCANS: u64 = 25;

/// Pixels of all scans together that are decoded, which bounds the time.
const MAX_SCANNED_PIXELS: u64 = 1 << 31;

/// Markers of the frames with arithmetic coding: sequential and progressive.
const ARITHMETIC: [u32; 2] = [0xC9, 0xCA];

/// What [`lib::jpeg_consume_input`] returns at the end of a scan, and at the end of the image.
const SCAN_COMPLETED: c_int = 4;
const REACHED_END: c_int = 2;

/// A decoded JPEG: `channels` bytes a pixel, 1 (grey), 3 (RGB) or 4 (CMYK, inverted as Adobe writes it).
pub(super) struct JpegPixels {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub data: Vec<u8>,
}

/// Width, height and the bytes of memory that decoding takes.
pub(super) fn header(bytes: &[u8]) -> Result<(u32, u32, u64), Reason> {
    within(bytes, |jpeg| {
        let (width, height) = (jpeg.state.image_width, jpeg.state.image_height);
        let pixels = u64::from(width) * u64::from(height);
        let channels = jpeg.state.num_components as u64;
        // All coefficients are kept, two bytes each, where they come in several scans.
        let coefficients = if jpeg.has_many_scans() { 2 * channels } else { 0 };
        Ok((width, height, pixels * (channels + coefficients)))
    })
}

/// Decodes a JPEG of one, three or four components.
pub(super) fn decode(bytes: &[u8]) -> Result<JpegPixels, Reason> {
    within(bytes, |jpeg| {
        limits::check_size(jpeg.state.image_width, jpeg.state.image_height)?;
        jpeg.state.out_color_space = match jpeg.state.num_components {
            1 => J_COLOR_SPACE::JCS_GRAYSCALE,
            3 => J_COLOR_SPACE::JCS_RGB,
            4 => J_COLOR_SPACE::JCS_CMYK,
            n => return Err(unsupported(format!("{n} components"))),
        };
        if jpeg.has_many_scans() {
            jpeg.read_all_scans(bytes)?;
            return jpeg.rows();
        }
        unsafe { lib::jpeg_start_decompress(&mut jpeg.state) };
        let pixels = jpeg.rows()?;
        match has_more_scan_data(bytes, jpeg.position(bytes)) {
            true => Err(blocks_damaged()),
            false => Ok(pixels),
        }
    })
}

/// Whether data of a scan follow that no block took: stuffed zeros or restart markers, which occur in scans alone. Blocks
/// before them were then decoded from other bits than the encoder wrote. Up to `at` the bytes have been taken.
fn has_more_scan_data(bytes: &[u8], at: usize) -> bool {
    let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF);
    if at >= 2 && is_marker(&bytes[at - 2..at]) {
        return false;
    }
    let mut pairs =
        bytes[at.saturating_sub(1)..].windows(2).skip_while(|pair| pair[0] != 0xFF || pair[1] == 0xFF);
    matches!(pairs.next(), Some(&[0xFF, 0x00 | 0xD0..=0xD7]))
}

/// Whether a scan whose bytes up to `at` have been taken ends there: a marker that ends a scan follows, or nothing. Else its
/// blocks were decoded from other bits than the encoder wrote, such as text over the end of the last scan. Of one scan
/// alone this is not required, since cameras write some bytes more.
fn ends_with_marker(bytes: &[u8], at: usize) -> bool {
    let ends_scan = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xD0..=0xD7 | 0xFF);
    let fill = bytes[at..].iter().take_while(|&&byte| byte == 0xFF).count();
    let rest = &bytes[at + fill.saturating_sub(1)..];
    (at >= 2 && ends_scan(&bytes[at - 2..at])) || rest.len() < 2 || ends_scan(&rest[..2])
}

fn blocks_damaged() -> Reason {
    Reason::damaged("JPEG", "some of its blocks cannot be decoded")
}

/// Opens `bytes`, reads the header and does `work`. A failure inside the library ends it as an unwinding.
fn within<T>(bytes: &[u8], work: impl FnOnce(&mut Decompressor) -> Result<T, Reason>) -> Result<T, Reason> {
    let run = || {
        let mut jpeg = Decompressor::open(bytes);
        unsafe { lib::jpeg_read_header(&mut jpeg.state, 1) };
        work(&mut jpeg)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(payload) => match payload.downcast::<Failure>() {
            Ok(failure) => Err(failure.0),
            Err(other) => resume_unwind(other),
        },
    }
}

/// The payload of an unwinding through the library.
struct Failure(Reason);

/// The state of the library. It holds pointers into itself, so it stays in its box.
struct Decompressor {
    state: Box<jpeg_decompress_struct>,
    // Referred to by `state`.
    _errors: Box<jpeg_error_mgr>,
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        unsafe { lib::jpeg_destroy_decompress(&mut self.state) };
    }
}

impl Decompressor {
    /// `bytes` must outlive the result, which [`within`] sees to.
    fn open(bytes: &[u8]) -> Self {
        // Zeroed is how the library expects its structures before they are created.
        let mut errors: Box<jpeg_error_mgr> = unsafe { Box::new(std::mem::zeroed()) };
        unsafe { lib::jpeg_std_error(&mut errors) };
        errors.error_exit = Some(error_exit);
        errors.emit_message = Some(emit_message);
        let mut jpeg = Self { state: unsafe { Box::new(std::mem::zeroed()) }, _errors: errors };
        jpeg.state.common.err = &mut *jpeg._errors;
        unsafe {
            lib::jpeg_create_decompress(&mut *jpeg.state);
            lib::jpeg_mem_src(&mut jpeg.state, bytes.as_ptr(), bytes.len() as c_ulong);
        }
        jpeg
    }

    fn has_many_scans(&self) -> bool {
        unsafe { lib::jpeg_has_multiple_scans(&self.state) != 0 }
    }

    /// Reads scans until every coefficient is known to its last bit, and prepares the output of the whole. A marker must follow
    /// or the end of the file; what comes after the marker, such as the trailer of a phone, is not looked at. Where coefficients
    /// are left out, the scans end with an end-of-image marker.
    fn read_all_scans(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let state: *mut jpeg_decompress_struct = &mut *self.state;
        let state = unsafe { &mut *state };
        let max_scans = max_scans(u64::from(state.image_width) * u64::from(state.image_height));
        state.buffered_image = 1;
        state.do_block_smoothing = 0;
        unsafe { lib::jpeg_start_decompress(state) };
        loop {
            match unsafe { lib::jpeg_consume_input(state) } {
                SCAN_COMPLETED if is_complete(state) => break,
                REACHED_END if leaves_out_whole_bands(state) && self.has_read_end(bytes) => break,
                REACHED_END => return Err(Reason::TruncatedJpeg),
                _ if state.input_scan_number as u64 > max_scans => {
                    return Err(unsupported(format!("more than {max_scans} scans")));
                }
                _ => {}
            }
        }
        match ends_with_marker(bytes, self.position(bytes)) {
            true => unsafe { lib::jpeg_start_output(state, state.input_scan_number) },
            false => return Err(blocks_damaged()),
        };
        Ok(())
    }

    /// Whether the end-of-image marker that was read is one of the file.
    fn has_read_end(&self, bytes: &[u8]) -> bool {
        bytes[..self.position(bytes)].ends_with(&[0xFF, 0xD9])
    }

    /// How many of `bytes` the library has taken.
    fn position(&self, bytes: &[u8]) -> usize {
        // At the end of the data the library reads an end-of-image marker of its own.
        let source = unsafe { &*self.state.src };
        let taken = (source.next_input_byte as usize).wrapping_sub(bytes.as_ptr() as usize);
        taken.min(bytes.len())
    }

    /// Reads all rows of the output.
    fn rows(&mut self) -> Result<JpegPixels, Reason> {
        let state = &mut *self.state;
        let (width, height) = (state.output_width as usize, state.output_height as usize);
        let channels = state.output_components as usize;
        let mut data = vec![0; width * height * channels];
        for row in data.chunks_exact_mut(width * channels) {
            let mut rows = [row.as_mut_ptr()];
            if unsafe { lib::jpeg_read_scanlines(state, rows.as_mut_ptr(), 1) } != 1 {
                return Err(Reason::TruncatedJpeg);
            }
        }
        Ok(JpegPixels { width, height, channels, data })
    }
}

/// Scans that are decoded of a picture with `pixels` pixels.
fn max_scans(pixels: u64) -> u64 {
    (MAX_SCANNED_PIXELS / pixels.max(1)).clamp(ANY_SCANS, MAX_SCANS)
}

/// Whether the scans read so far hold all of the image: all bits of all coefficients of a progressive one, a scan with each
/// component of another.
fn is_complete(state: &jpeg_decompress_struct) -> bool {
    if state.coef_bits.is_null() {
        // The library notes the quantization table of a component when its scan begins.
        let infos = unsafe { std::slice::from_raw_parts(state.comp_info, state.num_components as usize) };
        return infos.iter().all(|info| !info.quant_table.is_null());
    }
    missing_bits(state).iter().flatten().all(|&missing| missing == 0)
}

/// Whether all that a progressive image lacks are coefficients of which no scan has brought a bit. Encoders may leave out
/// those that are zero, such as all of a grey picture's colours but the mean of each block.
fn leaves_out_whole_bands(state: &jpeg_decompress_struct) -> bool {
    let is_sound = |bits: &[c_int; 64]| bits[0] == 0 && bits.iter().all(|&missing| missing <= 0);
    !state.coef_bits.is_null() && missing_bits(state).iter().all(is_sound)
}

/// Of each component of a progressive image the bits that each coefficient lacks, -1 for all.
fn missing_bits(state: &jpeg_decompress_struct) -> &[[c_int; 64]] {
    let known: *const c_void = state.coef_bits;
    unsafe { std::slice::from_raw_parts(known.cast(), state.num_components as usize) }
}

/// Called by the library for a failure.
unsafe extern "C-unwind" fn error_exit(state: &mut jpeg_common_struct) {
    let code = unsafe { (*state.err).msg_code };
    resume_unwind(Box::new(Failure(match code {
        lib::JERR_BAD_PRECISION => unsupported("other than 8 bits a sample".into()),
        lib::JERR_SOF_UNSUPPORTED => unsupported("lossless or hierarchical coding".into()),
        lib::JERR_CONVERSION_NOTIMPL | lib::JERR_BAD_J_COLORSPACE => {
            unsupported("an unknown colour space".into())
        }
        lib::JERR_FRACT_SAMPLE_NOTIMPL | lib::JERR_CCIR601_NOTIMPL => {
            unsupported("a sampling of colours that is no whole number".into())
        }
        lib::JERR_EMPTY_IMAGE => Reason::NoPixels,
        lib::JERR_NO_IMAGE | lib::JERR_INPUT_EOF | lib::JERR_INPUT_EMPTY | lib::JERR_SOF_NO_SOS => {
            Reason::TruncatedJpeg
        }
        lib::JERR_OUT_OF_MEMORY => Reason::damaged("JPEG", "it needs more memory than there is"),
        _ => Reason::damaged("JPEG", "a header or table makes no sense"),
    })));
}

/// Called by the library for a warning (level -1) or a trace. Warnings after which a block is a guess end the decoding, and
/// so does arithmetic coding: a cut in it is no failure to the library, which goes on with zeros.
unsafe extern "C-unwind" fn emit_message(state: &mut jpeg_common_struct, level: c_int) {
    let (code, parameter) = unsafe { ((*state.err).msg_code, (*state.err).msg_parm._bindgen_data_[0]) };
    let scans = unsafe { (*std::ptr::from_mut(state).cast::<jpeg_decompress_struct>()).input_scan_number };
    let reason = match code {
        lib::JTRC_SOF if ARITHMETIC.contains(&parameter) => {
            unsupported("arithmetic coding, in which a missing part cannot be seen,".into())
        }
        _ if level >= 0 => return,
        lib::JWRN_HIT_MARKER => Reason::TruncatedJpeg,
        lib::JWRN_HUFF_BAD_CODE | lib::JWRN_MUST_RESYNC => blocks_damaged(),
        lib::JWRN_EXTRANEOUS_DATA if scans > 0 => blocks_damaged(),
        lib::JWRN_BOGUS_PROGRESSION => Reason::damaged("JPEG", "its scans contradict one another"),
        _ => return,
    };
    resume_unwind(Box::new(Failure(reason)));
}

fn unsupported(what: String) -> Reason {
    Reason::Unsupported { format: "JPEG".into(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture of one level, `side` by `side`, whose first `coefficients` of each block come in scans of one each, in
    /// `passes` passes.
    fn many_scans(side: u16, passes: u8, coefficients: u8) -> Vec<u8> {
        let [high, low] = side.to_be_bytes();
        let mut file = vec![0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0];
        file.extend([1; 64]);
        file.extend([0xFF, 0xC2, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]);
        // One code for each table, the bit 0: no difference of the first coefficient; an end of the block.
        for table in [0x00, 0x10] {
            file.extend([0xFF, 0xC4, 0, 20, table, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        let blocks = usize::from(side).div_ceil(8).pow(2);
        for pass in 0..passes {
            let last = passes - 1 - pass;
            let before = if pass == 0 { 0 } else { last + 1 };
            for coefficient in 0..coefficients {
                file.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, coefficient, coefficient, before << 4 | last]);
                file.extend(vec![0; blocks / 8]);
                file.extend((blocks % 8 > 0).then_some(0xFF >> (blocks % 8)));
            }
        }
        file.extend([0xFF, 0xD9]);
        file
    }

    #[test]
    fn a_picture_of_very_many_scans_is_refused() {
        let pixels = decode(&many_scans(16, 1, 64)).unwrap();
        assert_eq!((pixels.width, pixels.data), (16, vec![128; 256]));
        let reason = decode(&many_scans(16, 2, 64)).err().expect("128 scans are refused");
        assert_eq!(reason, unsupported("more than 100 scans".into()));
    }

    /// `file` without its last scan.
    fn without_last_scan(file: &[u8]) -> Vec<u8> {
        let last = file.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
        [&file[..last], &[0xFF, 0xD9]].concat()
    }

    #[test]
    fn bands_may_be_left_out_and_those_begun_must_be_whole() {
        for coefficients in [1, 2, 63] {
            let whole = many_scans(16, 1, coefficients);
            assert_eq!(decode(&whole).unwrap().data, vec![128; 256]);
            // Without an end, more might have followed.
            let cut = decode(&whole[..whole.len() - 2]).err();
            assert_eq!(cut, Some(Reason::TruncatedJpeg));
        }
        for coefficients in [1, 2] {
            let whole = many_scans(16, 2, coefficients);
            assert_eq!(decode(&whole).unwrap().data, vec![128; 256]);
            let cut = decode(&without_last_scan(&whole)).err();
            assert_eq!(cut, Some(Reason::TruncatedJpeg), "{coefficients}");
        }
    }

    #[test]
    fn arithmetic_coding_is_refused_in_words() {
        for (marker, is_refused) in [(0xC2, false), (0xC9, true), (0xCA, true)] {
            let mut file = many_scans(16, 1, 64);
            let frame = file.windows(2).position(|pair| pair == [0xFF, 0xC2]).unwrap();
            file[frame + 1] = marker;
            for reason in [header(&file).err(), decode(&file).err()] {
                let text = reason.map(|reason| reason.to_string()).unwrap_or_default();
                assert_eq!(text.contains("arithmetic coding"), is_refused, "{marker:x}: {text}");
            }
        }
    }

    #[test]
    fn text_inside_or_between_scans_is_damage_and_before_them_is_not() {
        let whole = include_bytes!("../../../tests/fixtures/progressive.jpg");
        let expected = decode(whole).unwrap().data;
        let scans: Vec<usize> =
            (0..whole.len() - 1).filter(|&at| whole[at..at + 2] == [0xFF, 0xDA]).collect();
        let with_text =
            |at: usize| [&whole[..at], "overwritten ".repeat(9).as_bytes(), &whole[at..]].concat();
        assert_eq!(decode(&with_text(scans[0])).unwrap().data, expected);
        for (number, &scan) in scans.iter().enumerate() {
            assert!(number == 0 || decode(&with_text(scan)).is_err(), "text before the scan at {scan}");
            assert!(decode(&with_text(scan + 14)).is_err(), "text in the scan at {scan}");
        }
        let end = whole.len() - 2;
        assert!(whole.ends_with(&[0xFF, 0xD9]));
        // After the end marker anything may follow; without the marker nothing may.
        for (file, is_taken) in [
            ([whole, "a trailer".as_bytes()].concat(), true),
            (whole[..end].to_vec(), true),
            (with_text(end), false),
            ([&whole[..end], "overwritten ".repeat(9).as_bytes()].concat(), false),
        ] {
            assert_eq!(decode(&file).ok().map(|image| image.data), is_taken.then(|| expected.clone()));
        }
    }

    #[test]
    fn large_pictures_may_have_fewer_scans() {
        assert_eq!([1, 20_000_000, 48_000_000, 178_956_970].map(max_scans), [100, 100, 44, 25]);
    }
}
