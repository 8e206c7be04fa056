//! The layers of Inception-v3 (Szegedy et al. 2015, arXiv:1512.00567) under TF-Slim's names, as a table.

/// One operation of the network, or several in parallel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    /// Convolution with stride 1 and `SAME` padding: name, filters, kernel height, kernel width.
    Same(&'static str, usize, usize, usize),
    /// Convolution without padding: name, filters, kernel side, stride.
    Valid(&'static str, usize, usize, usize),
    /// 3x3 average pool, stride 1, `SAME` padding.
    AveragePool,
    /// 3x3 maximum pool, stride 2, no padding.
    MaxPool,
    /// Convolutions on the same input, their channels concatenated.
    Parallel(&'static [Operation]),
}

use Operation::{AveragePool, MaxPool, Parallel, Same, Valid};

/// The layers before the blocks: the name of each endpoint and its operation.
pub(super) const STEM: [(&str, Operation); 7] = [
    ("Conv2d_1a_3x3", Valid("", 32, 3, 2)),
    ("Conv2d_2a_3x3", Valid("", 32, 3, 1)),
    ("Conv2d_2b_3x3", Same("", 64, 3, 3)),
    ("MaxPool_3a_3x3", MaxPool),
    ("Conv2d_3b_1x1", Valid("", 80, 1, 1)),
    ("Conv2d_4a_3x3", Valid("", 192, 3, 1)),
    ("MaxPool_5a_3x3", MaxPool),
];

/// A block: its name and its branches, whose channels are concatenated in order.
pub(super) type Block = (&'static str, &'static [&'static [Operation]]);

/// A 35x35 block. The names in the second branch differ in 5c, as in TF-Slim.
macro_rules! block35 {
    ($name:literal, $first:literal, $second:literal, $pool:literal) => {
        (
            $name,
            &[
                &[Same("Conv2d_0a_1x1", 64, 1, 1)],
                &[Same($first, 48, 1, 1), Same($second, 64, 5, 5)],
                &[
                    Same("Conv2d_0a_1x1", 64, 1, 1),
                    Same("Conv2d_0b_3x3", 96, 3, 3),
                    Same("Conv2d_0c_3x3", 96, 3, 3),
                ],
                &[AveragePool, Same("Conv2d_0b_1x1", $pool, 1, 1)],
            ],
        )
    };
}

/// A 17x17 block with `$n` channels in its factorized 7x7 convolutions.
macro_rules! block17 {
    ($name:literal, $n:literal) => {
        (
            $name,
            &[
                &[Same("Conv2d_0a_1x1", 192, 1, 1)],
                &[
                    Same("Conv2d_0a_1x1", $n, 1, 1),
                    Same("Conv2d_0b_1x7", $n, 1, 7),
                    Same("Conv2d_0c_7x1", 192, 7, 1),
                ],
                &[
                    Same("Conv2d_0a_1x1", $n, 1, 1),
                    Same("Conv2d_0b_7x1", $n, 7, 1),
                    Same("Conv2d_0c_1x7", $n, 1, 7),
                    Same("Conv2d_0d_7x1", $n, 7, 1),
                    Same("Conv2d_0e_1x7", 192, 1, 7),
                ],
                &[AveragePool, Same("Conv2d_0b_1x1", 192, 1, 1)],
            ],
        )
    };
}

/// An 8x8 block. TF-Slim calls the 3x1 convolution of the second branch 0b in 7b and 0c in 7c.
macro_rules! block8 {
    ($name:literal, $conv_3x1:literal) => {
        (
            $name,
            &[
                &[Same("Conv2d_0a_1x1", 320, 1, 1)],
                &[
                    Same("Conv2d_0a_1x1", 384, 1, 1),
                    Parallel(&[Same("Conv2d_0b_1x3", 384, 1, 3), Same($conv_3x1, 384, 3, 1)]),
                ],
                &[
                    Same("Conv2d_0a_1x1", 448, 1, 1),
                    Same("Conv2d_0b_3x3", 384, 3, 3),
                    Parallel(&[Same("Conv2d_0c_1x3", 384, 1, 3), Same("Conv2d_0d_3x1", 384, 3, 1)]),
                ],
                &[AveragePool, Same("Conv2d_0b_1x1", 192, 1, 1)],
            ],
        )
    };
}

/// The name of the last block.
pub(super) const LAST_BLOCK: &str = "Mixed_7c";

/// The blocks, in order.
pub(super) const BLOCKS: [Block; 11] = [
    block35!("Mixed_5b", "Conv2d_0a_1x1", "Conv2d_0b_5x5", 32),
    block35!("Mixed_5c", "Conv2d_0b_1x1", "Conv_1_0c_5x5", 64),
    block35!("Mixed_5d", "Conv2d_0a_1x1", "Conv2d_0b_5x5", 64),
    (
        "Mixed_6a",
        &[
            // TF-Slim's names say 1x1, but the kernels are 3x3.
            &[Valid("Conv2d_1a_1x1", 384, 3, 2)],
            &[
                Same("Conv2d_0a_1x1", 64, 1, 1),
                Same("Conv2d_0b_3x3", 96, 3, 3),
                Valid("Conv2d_1a_1x1", 96, 3, 2),
            ],
            &[MaxPool],
        ],
    ),
    block17!("Mixed_6b", 128),
    block17!("Mixed_6c", 160),
    block17!("Mixed_6d", 160),
    block17!("Mixed_6e", 192),
    (
        "Mixed_7a",
        &[
            &[Same("Conv2d_0a_1x1", 192, 1, 1), Valid("Conv2d_1a_3x3", 320, 3, 2)],
            &[
                Same("Conv2d_0a_1x1", 192, 1, 1),
                Same("Conv2d_0b_1x7", 192, 1, 7),
                Same("Conv2d_0c_7x1", 192, 7, 1),
                Valid("Conv2d_1a_3x3", 192, 3, 2),
            ],
            &[MaxPool],
        ],
    ),
    block8!("Mixed_7b", "Conv2d_0b_3x1"),
    block8!("Mixed_7c", "Conv2d_0c_3x1"),
];
