//! Reads the part of Python's pickle format that PyTorch's state dicts use. Nothing is executed: the only calls that are
//! understood are those that describe a tensor, and any other name of a class or function is refused.
//!
//! Values that contain others are kept in one list and known by number, so that no input makes the reader call itself, copy
//! without bound or form a circle.

mod input;
mod value;

use super::tensors::fail;
use crate::error::Result;
use input::Input;
use value::global;
pub(super) use value::{Global, Storage, Value, View};

/// A pickle that was read.
#[derive(Debug, Default)]
pub(super) struct Pickle {
    stack: Vec<Value>,
    memo: Vec<Option<Value>>,
    pub tuples: Vec<Vec<Value>>,
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub storages: Vec<Storage>,
    pub views: Vec<View>,
}

/// Most entries of the memo. Those of a state dict are some thousands.
const MAX_MEMO: usize = 1 << 20;

/// Reads one pickle off the front of `data`. Returns its tables and its value.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged, or is not one that describes tensors.
pub(super) fn read_pickle(data: &mut &[u8]) -> Result<(Pickle, Value)> {
    let mut pickle = Pickle::default();
    let mut input = Input(data);
    loop {
        let code = input.bytes(1)?[0];
        if code == b'.' {
            let value = pickle.pop()?;
            return Ok((pickle, value));
        }
        pickle.step(code, &mut input)?;
    }
}

impl Pickle {
    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or_else(|| fail("the pickle takes more values than it has"))
    }

    /// Takes the values above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark));
        let values = self.stack.split_off(mark.ok_or_else(|| fail("the pickle lacks a mark"))? + 1);
        self.stack.pop();
        Ok(values)
    }

    fn push_tuple(&mut self, values: Vec<Value>) {
        self.stack.push(Value::Tuple(self.tuples.len()));
        self.tuples.push(values);
    }

    fn push_dict(&mut self) {
        self.stack.push(Value::Dict(self.dicts.len()));
        self.dicts.push(Vec::new());
    }

    /// Performs one instruction.
    fn step(&mut self, code: u8, input: &mut Input) -> Result<()> {
        match code {
            0x80 => drop(input.bytes(1)?),
            0x95 => drop(input.bytes(8)?),
            b'(' => self.stack.push(Value::Mark),
            b'0' => drop(self.pop()?),
            b'N' | 0x88 | 0x89 => self.stack.push(Value::Other),
            b'K' => self.push_number(input, 1)?,
            b'M' => self.push_number(input, 2)?,
            b'J' => {
                let number = input.number(4)? as u32 as i32;
                self.stack.push(Value::Int(i64::from(number)));
            }
            0x8a => {
                let n = input.length(1)?;
                self.push_long(input.bytes(n)?);
            }
            b'G' => {
                input.bytes(8)?;
                self.stack.push(Value::Other);
            }
            b'X' => self.push_text(input, 4)?,
            0x8c => self.push_text(input, 1)?,
            0x8d => self.push_text(input, 8)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.memo(code, input)?,
            _ => self.step_container(code, input)?,
        }
        Ok(())
    }

    fn step_container(&mut self, code: u8, input: &mut Input) -> Result<()> {
        match code {
            b')' | b't' | 0x85..=0x87 => self.step_tuple(code)?,
            b']' => {
                self.stack.push(Value::List(self.lists.len()));
                self.lists.push(Vec::new());
            }
            b'}' => self.push_dict(),
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])?;
            }
            b'e' => {
                let values = self.pop_mark()?;
                self.append(values)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let values = self.pop_mark()?;
                self.set_items(values)?;
            }
            b'c' => {
                let (module, name) = (input.line()?, input.line()?);
                self.stack.push(Value::Global(global(module, name)?));
            }
            0x93 => self.stack_global()?,
            b'R' => self.call()?,
            b'Q' => self.persistent()?,
            // The attributes of a dict are PyTorch's notes of versions. Nothing else has any.
            b'b' => {
                self.pop()?;
                if !matches!(self.stack.last(), Some(Value::Dict(_))) {
                    return Err(fail("the pickle sets the state of an object, which a state dict does not"));
                }
            }
            _ => {
                return Err(fail(format!(
                    "the pickle holds the instruction {code:#04x}, which no state dict has"
                )));
            }
        }
        Ok(())
    }

    /// Names a class or function by two texts.
    fn stack_global(&mut self) -> Result<()> {
        let (Value::Text(name), Value::Text(module)) = (self.pop()?, self.pop()?) else {
            return Err(fail("the pickle names a class by something else than text"));
        };
        self.stack.push(Value::Global(global(&module, &name)?));
        Ok(())
    }

    /// Makes a tuple of no values, of those above the last mark, or of the last one, two or three.
    fn step_tuple(&mut self, code: u8) -> Result<()> {
        let values = match code {
            b')' => Vec::new(),
            b't' => self.pop_mark()?,
            _ => {
                let start = self.stack.len().checked_sub(usize::from(code - 0x84));
                let start = start.ok_or_else(|| fail("the pickle takes more values than it has"))?;
                self.stack.split_off(start)
            }
        };
        self.push_tuple(values);
        Ok(())
    }

    fn push_number(&mut self, input: &mut Input, n: usize) -> Result<()> {
        let number = input.number(n)?;
        self.stack.push(Value::Int(number as i64));
        Ok(())
    }

    /// Pushes an integer in two's complement.
    fn push_long(&mut self, bytes: &[u8]) {
        self.stack.push(match bytes {
            [] => Value::Int(0),
            [.., last] if bytes.len() <= 8 => {
                let fill = if last & 0x80 == 0 { 0 } else { u64::MAX };
                Value::Int(bytes.iter().rev().fold(fill, |sum, &byte| sum << 8 | u64::from(byte)) as i64)
            }
            _ => Value::Other,
        });
    }

    fn push_text(&mut self, input: &mut Input, length: usize) -> Result<()> {
        let n = input.length(length)?;
        self.stack.push(Value::Text(input.text(n)?));
        Ok(())
    }

    /// Stores the top of the stack in the memo, or pushes what is there.
    fn memo(&mut self, code: u8, input: &mut Input) -> Result<()> {
        let at = match code {
            b'q' | b'h' => input.length(1)?,
            b'r' | b'j' => input.length(4)?,
            _ => self.memo.len(),
        };
        if matches!(code, b'h' | b'j') {
            let value = self.memo.get(at).cloned().flatten();
            self.stack.push(value.ok_or_else(|| fail("the pickle refers to a value that it does not hold"))?);
            return Ok(());
        }
        if at >= MAX_MEMO {
            return Err(fail("the pickle numbers more values than any state dict"));
        }
        if self.memo.len() <= at {
            self.memo.resize(at + 1, None);
        }
        self.memo[at] =
            Some(self.stack.last().cloned().ok_or_else(|| fail("the pickle stores a value that it lacks"))?);
        Ok(())
    }

    fn append(&mut self, values: Vec<Value>) -> Result<()> {
        let Some(Value::List(list)) = self.stack.last() else {
            return Err(fail("the pickle appends to something else than a list"));
        };
        self.lists[*list].extend(values);
        Ok(())
    }

    fn set_items(&mut self, values: Vec<Value>) -> Result<()> {
        let Some(Value::Dict(dict)) = self.stack.last() else {
            return Err(fail("the pickle sets items of something else than a dict"));
        };
        let dict = &mut self.dicts[*dict];
        dict.extend(values.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        Ok(())
    }

    /// Understands the call of a known function.
    fn call(&mut self) -> Result<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let unknown = || fail("the pickle calls something that no state dict calls");
        let (Value::Global(function), Value::Tuple(arguments)) = (function, arguments) else {
            return Err(unknown());
        };
        let arguments = std::mem::take(&mut self.tuples[arguments]);
        match (function, &arguments[..]) {
            (Global::OrderedDict, []) => self.push_dict(),
            (Global::RebuildTensor, [Value::Storage(storage), Value::Int(offset), shape, strides, ..]) => {
                let offset = usize::try_from(*offset).map_err(|_| unknown())?;
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                self.stack.push(Value::View(self.views.len()));
                self.views.push(View { storage: *storage, offset, shape, strides });
            }
            (Global::RebuildParameter, [Value::View(view), ..]) => self.stack.push(Value::View(*view)),
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// The numbers of a tuple of sizes.
    fn sizes(&self, value: &Value) -> Result<Vec<usize>> {
        let wrong = || fail("a tensor of the pickle has an impossible shape");
        let Value::Tuple(tuple) = value else { return Err(wrong()) };
        let size = |value: &Value| match value {
            Value::Int(size) => usize::try_from(*size).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        // PyTorch's tensors have at most 64 dimensions; weights have 4.
        match &self.tuples[*tuple][..] {
            sizes if sizes.len() <= 8 => sizes.iter().map(size).collect(),
            _ => Err(wrong()),
        }
    }

    /// Understands the description of a storage: `("storage", class, key, location, elements)`.
    fn persistent(&mut self) -> Result<()> {
        let wrong = || fail("the pickle refers to something else than a storage");
        let Value::Tuple(tuple) = self.pop()? else { return Err(wrong()) };
        let storage = match &self.tuples[tuple][..] {
            [
                Value::Text(kind),
                Value::Global(Global::Storage(class)),
                Value::Text(key),
                _,
                Value::Int(len),
                ..,
            ] if &**kind == "storage" => {
                Storage { class, key: key.clone(), len: usize::try_from(*len).map_err(|_| wrong())? }
            }
            _ => return Err(wrong()),
        };
        self.stack.push(Value::Storage(self.storages.len()));
        self.storages.push(storage);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_refused_by_name_and_never_run() {
        let attack = b"\x80\x02cos\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85R.";
        let error = read_pickle(&mut &attack[..]).unwrap_err();
        assert!(error.to_string().contains("\"os.system\""), "{error}");
        let by_stack = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
        assert!(read_pickle(&mut &by_stack[..]).unwrap_err().to_string().contains("posix.system"));
    }

    #[test]
    fn calls_that_describe_no_tensor_are_refused() {
        // A storage class is a callable in Python, too.
        for attack in [
            &b"ctorch\nFloatStorage\n(tR."[..],
            b"ccollections\nOrderedDict\nK\x01\x85R.",
            b"ccollections\nOrderedDict\n)R(K\x01K\x02d.",
            b"K\x01}b.",
            b"K\x01Q.",
            b"h\x05.",
            b"r\xff\xff\xff\xff.",
            b"X\xff\xff\xff\xffa.",
            b"a.",
            b"",
        ] {
            assert!(read_pickle(&mut &attack[..]).is_err(), "{attack:?}");
        }
    }

    #[test]
    fn values_inside_values_do_not_grow() {
        // In Python each step doubles a tuple; a list holds itself.
        let mut nested = b"\x80\x02)".to_vec();
        (0..100_000).for_each(|_| nested.extend(b"q\x00h\x00\x86"));
        nested.extend(b".");
        assert!(read_pickle(&mut &nested[..]).is_ok());
        assert!(read_pickle(&mut &b"]q\x00h\x00a."[..]).is_ok());
    }
}
