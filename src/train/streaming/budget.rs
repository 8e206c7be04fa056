//! How the memory for features is divided while rows are streamed.

/// Resplit of the memory: three quarters for the validation rows and two blocks of train rows, one quarter for reading.
/// It does not depend on the number of threads, so the threads do not change the head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MemoryBudget {
    /// Rows of each of the two blocks.
    pub block_rows: usize,
    /// Upper limit on parts that are read at the same time.
    pub readers: usize,
}

/// Sizes that a budget depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSizes {
    /// Bytes of one row.
    pub row_bytes: u64,
    /// Rows that stay in memory during the fit.
    pub validation_rows: usize,
    /// Rows of the largest part.
    pub part_rows: usize,
}

impl MemoryBudget {
    /// Divides `memory` bytes; the error is the smallest number of bytes that would do. Reading a part holds it in
    /// memory three times: the file, its pages, its rows.
    pub fn of(memory: u64, sizes: RowSizes) -> Result<Self, u64> {
        let kept = sizes.validation_rows as u64 * sizes.row_bytes;
        let part = sizes.part_rows as u64 * sizes.row_bytes;
        let block = (memory / 4 * 3).saturating_sub(kept) / 2;
        let readers = memory / 4 / (3 * part);
        match block >= part && readers > 0 {
            true => Ok(Self { block_rows: (block / sizes.row_bytes) as usize, readers: readers as usize }),
            false => Err(4 * (3 * part).max((kept + 2 * part).div_ceil(3))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_divided_or_the_smallest_amount_is_reported() {
        // Of 48,000 bytes 36,000 are for 10 rows and two blocks, 12,000 for parts of 4 rows, three times each.
        let sizes = RowSizes { row_bytes: 100, validation_rows: 10, part_rows: 4 };
        assert_eq!(MemoryBudget::of(48_000, sizes), Ok(MemoryBudget { block_rows: 175, readers: 10 }));
        for (validation_rows, part_rows) in [(0, 1), (10, 4), (1000, 4), (3, 256)] {
            let sizes = RowSizes { row_bytes: 256, validation_rows, part_rows };
            let least = MemoryBudget::of(0, sizes).unwrap_err();
            assert!(MemoryBudget::of(least, sizes).is_ok(), "{least}");
            assert!(MemoryBudget::of(least - 4, sizes).is_err(), "{least}");
        }
    }
}
