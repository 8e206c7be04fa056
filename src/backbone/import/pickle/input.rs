//! Takes numbers and texts off the front of a pickle.

use crate::backbone::import::tensors::fail;
use crate::error::Result;
use std::rc::Rc;

/// Takes bytes off the front of `data`.
pub(super) struct Input<'a, 'b>(pub &'b mut &'a [u8]);

impl<'a> Input<'a, '_> {
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n).ok_or_else(|| fail("the pickle ends too early"))?;
        *self.0 = rest;
        Ok(bytes)
    }

    /// A little-endian unsigned number of `n` bytes, at most 8.
    pub fn number(&mut self, n: usize) -> Result<u64> {
        Ok(self.bytes(n)?.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    pub fn length(&mut self, n: usize) -> Result<usize> {
        usize::try_from(self.number(n)?).map_err(|_| fail("the pickle holds an impossible length"))
    }

    pub fn text(&mut self, n: usize) -> Result<Rc<str>> {
        let text = std::str::from_utf8(self.bytes(n)?);
        text.map(Rc::from).map_err(|e| fail("a text of the pickle is not UTF-8").because(e))
    }

    pub fn line(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|&byte| byte == b'\n');
        let line = self.bytes(end.ok_or_else(|| fail("the pickle ends too early"))? + 1)?;
        std::str::from_utf8(&line[..line.len() - 1])
            .map_err(|e| fail("a name of the pickle is not UTF-8").because(e))
    }
}
