//! What each source calls the tensors of one convolution, and how it lays out their values.

use super::tensors::fail;
use crate::backbone::inception_v3::Conv;
use crate::error::Result;

/// A set of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// TF-Slim's variables.
    Slim,
    /// The parameters of torchvision's modules; timm and torch-fidelity use the same.
    Torch,
    /// Keras' layers by number.
    Keras,
    /// The constants of the graph of 2015-12-05.
    Graph2015,
}

/// Order of the dimensions of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Height, width, inputs, filters; a classifier is `[inputs, classes]`.
    Tensorflow,
    /// Filters, inputs, height, width; a classifier is `[classes, inputs]`.
    Torch,
}

/// The names of the tensors of a convolution and of its batch norm.
#[derive(Debug, PartialEq)]
pub(super) struct ConvNames {
    pub kernel: String,
    pub gamma: Option<String>,
    pub beta: String,
    pub mean: String,
    pub variance: String,
}

impl Naming {
    pub fn layout(self) -> Layout {
        if self == Self::Torch { Layout::Torch } else { Layout::Tensorflow }
    }

    /// The names for one convolution.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) for a convolution that the network does not have.
    pub fn conv(self, conv: &Conv) -> Result<ConvNames> {
        Ok(match self {
            Self::Slim => {
                let scope = format!("InceptionV3/{}", conv.name);
                tensorflow(format!("{scope}/weights"), &format!("{scope}/BatchNorm"), false)
            }
            Self::Keras => {
                let index = conv.index;
                tensorflow(format!("conv2d_{index}/kernel"), &format!("batch_normalization_{index}"), false)
            }
            Self::Graph2015 => {
                let scope = tensor_names(conv)?.graph_2015;
                tensorflow(format!("{scope}/conv2d_params"), &format!("{scope}/batchnorm"), true)
            }
            Self::Torch => {
                let scope = tensor_names(conv)?.torch;
                let norm = |what: &str| format!("{scope}.bn.{what}");
                ConvNames {
                    kernel: format!("{scope}.conv.weight"),
                    gamma: Some(norm("weight")),
                    beta: norm("bias"),
                    mean: norm("running_mean"),
                    variance: norm("running_var"),
                }
            }
        })
    }

    /// The names of the classifier's weights and biases.
    pub fn classifier(self) -> [&'static str; 2] {
        match self {
            Self::Slim => {
                ["InceptionV3/Logits/Conv2d_1c_1x1/weights", "InceptionV3/Logits/Conv2d_1c_1x1/biases"]
            }
            Self::Torch => ["fc.weight", "fc.bias"],
            Self::Keras => ["predictions/kernel", "predictions/bias"],
            Self::Graph2015 => ["softmax/weights", "softmax/biases"],
        }
    }

    /// Whether a tensor is known and plays no part when the network is used: the auxiliary head of training, and counters.
    pub fn is_unused(self, name: &str) -> bool {
        match self {
            Self::Slim => name.starts_with("InceptionV3/AuxLogits/") || name == "global_step",
            Self::Torch => name.starts_with("AuxLogits.") || name.ends_with(".bn.num_batches_tracked"),
            Self::Keras | Self::Graph2015 => false,
        }
    }
}

fn tensorflow(kernel: String, norm: &str, has_gamma: bool) -> ConvNames {
    ConvNames {
        kernel,
        gamma: has_gamma.then(|| format!("{norm}/gamma")),
        beta: format!("{norm}/beta"),
        mean: format!("{norm}/moving_mean"),
        variance: format!("{norm}/moving_variance"),
    }
}

/// What torchvision and the graph of 2015 call a convolution.
struct TensorNames {
    torch: String,
    graph_2015: String,
}

/// The convolutions of a block in the order of their creation: torchvision's name, and that of the graph of 2015.
type Block = &'static [(&'static str, &'static str)];

const BLOCK_35: Block = &[
    ("branch1x1", "conv"),
    ("branch5x5_1", "tower/conv"),
    ("branch5x5_2", "tower/conv_1"),
    ("branch3x3dbl_1", "tower_1/conv"),
    ("branch3x3dbl_2", "tower_1/conv_1"),
    ("branch3x3dbl_3", "tower_1/conv_2"),
    ("branch_pool", "tower_2/conv"),
];

const BLOCK_6A: Block = &[
    ("branch3x3", "conv"),
    ("branch3x3dbl_1", "tower/conv"),
    ("branch3x3dbl_2", "tower/conv_1"),
    ("branch3x3dbl_3", "tower/conv_2"),
];

const BLOCK_17: Block = &[
    ("branch1x1", "conv"),
    ("branch7x7_1", "tower/conv"),
    ("branch7x7_2", "tower/conv_1"),
    ("branch7x7_3", "tower/conv_2"),
    ("branch7x7dbl_1", "tower_1/conv"),
    ("branch7x7dbl_2", "tower_1/conv_1"),
    ("branch7x7dbl_3", "tower_1/conv_2"),
    ("branch7x7dbl_4", "tower_1/conv_3"),
    ("branch7x7dbl_5", "tower_1/conv_4"),
    ("branch_pool", "tower_2/conv"),
];

const BLOCK_7A: Block = &[
    ("branch3x3_1", "tower/conv"),
    ("branch3x3_2", "tower/conv_1"),
    ("branch7x7x3_1", "tower_1/conv"),
    ("branch7x7x3_2", "tower_1/conv_1"),
    ("branch7x7x3_3", "tower_1/conv_2"),
    ("branch7x7x3_4", "tower_1/conv_3"),
];

const BLOCK_8: Block = &[
    ("branch1x1", "conv"),
    ("branch3x3_1", "tower/conv"),
    ("branch3x3_2a", "tower/mixed/conv"),
    ("branch3x3_2b", "tower/mixed/conv_1"),
    ("branch3x3dbl_1", "tower_1/conv"),
    ("branch3x3dbl_2", "tower_1/conv_1"),
    ("branch3x3dbl_3a", "tower_1/mixed/conv"),
    ("branch3x3dbl_3b", "tower_1/mixed/conv_1"),
    ("branch_pool", "tower_2/conv"),
];

const STEM: [(&str, &str); 5] = [
    ("Conv2d_1a_3x3", "conv"),
    ("Conv2d_2a_3x3", "conv_1"),
    ("Conv2d_2b_3x3", "conv_2"),
    ("Conv2d_3b_1x1", "conv_3"),
    ("Conv2d_4a_3x3", "conv_4"),
];

const BLOCKS: [(&str, &str, Block); 11] = [
    ("Mixed_5b", "mixed", BLOCK_35),
    ("Mixed_5c", "mixed_1", BLOCK_35),
    ("Mixed_5d", "mixed_2", BLOCK_35),
    ("Mixed_6a", "mixed_3", BLOCK_6A),
    ("Mixed_6b", "mixed_4", BLOCK_17),
    ("Mixed_6c", "mixed_5", BLOCK_17),
    ("Mixed_6d", "mixed_6", BLOCK_17),
    ("Mixed_6e", "mixed_7", BLOCK_17),
    ("Mixed_7a", "mixed_8", BLOCK_7A),
    ("Mixed_7b", "mixed_9", BLOCK_8),
    ("Mixed_7c", "mixed_10", BLOCK_8),
];

fn tensor_names(conv: &Conv) -> Result<TensorNames> {
    let unknown = || fail(format!("Inception-v3 has no convolution {}", conv.index));
    let mut at = conv.index.checked_sub(1).ok_or_else(unknown)?;
    if let Some((torch, graph_2015)) = STEM.get(at) {
        return Ok(TensorNames { torch: (*torch).into(), graph_2015: (*graph_2015).into() });
    }
    at -= STEM.len();
    for (torch_block, block_2015, convs) in BLOCKS {
        if let Some((torch, graph_2015)) = convs.get(at) {
            return Ok(TensorNames {
                torch: format!("{torch_block}.{torch}"),
                graph_2015: format!("{block_2015}/{graph_2015}"),
            });
        }
        at -= convs.len();
    }
    Err(unknown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::inception_v3::KernelSize;

    #[test]
    fn the_names_stay_inside_the_blocks_of_tf_slim() {
        let kernel = KernelSize { height: 1, width: 1 };
        let conv = |index| Conv { name: String::new(), index, inputs: 1, filters: 1, kernel };
        let torch = |index| Naming::Torch.conv(&conv(index)).unwrap().kernel;
        assert_eq!(torch(5), "Conv2d_4a_3x3.conv.weight");
        assert_eq!(torch(6), "Mixed_5b.branch1x1.conv.weight");
        assert_eq!(torch(94), "Mixed_7c.branch_pool.conv.weight");
        assert!(Naming::Torch.conv(&conv(95)).is_err() && Naming::Graph2015.conv(&conv(0)).is_err());
        let names = Naming::Graph2015.conv(&conv(92)).unwrap();
        assert_eq!(names.kernel, "mixed_10/tower_1/mixed/conv/conv2d_params");
        assert_eq!(names.gamma.as_deref(), Some("mixed_10/tower_1/mixed/conv/batchnorm/gamma"));
    }
}
