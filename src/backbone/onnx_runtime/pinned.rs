//! IO binding: the input and the outputs of a session in pinned (page-locked) memory, which a device copies from and to by
//! itself.

use crate::backbone::graph::PIXEL_INPUT;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session, SessionOutputs};
use ort::value::{DynTensor, PrimitiveTensorElementType, TensorElementType};

/// The memory that a session is bound to.
#[derive(Debug)]
pub(super) struct PinnedMemory {
    binding: IoBinding,
    allocator: Allocator,
    /// Where outputs are written.
    outputs: MemoryInfo<'static>,
    /// The input of the last batch; most batches have the same size.
    input: Option<DynTensor>,
}

impl PinnedMemory {
    /// Binds a session on CUDA device `device`.
    ///
    /// # Errors
    /// When the provider has no such memory.
    pub fn of_cuda(session: &Session, device: i32) -> ort::Result<Self> {
        Self::new(session, AllocationDevice::CUDA_PINNED, device)
    }

    fn new(session: &Session, memory: AllocationDevice, device: i32) -> ort::Result<Self> {
        let of_kind = |kind| MemoryInfo::new(memory.clone(), device, AllocatorType::Device, kind);
        let allocator = Allocator::new(session, of_kind(MemoryType::CPUInput)?)?;
        let outputs = of_kind(MemoryType::CPUOutput)?.to_owned();
        Ok(Self { binding: session.create_binding()?, allocator, outputs, input: None })
    }

    /// Runs a batch of `shape`. The next run overwrites the outputs.
    ///
    /// # Errors
    /// When there is too little memory, or the network fails.
    pub fn run<'s, T: PrimitiveTensorElementType + Copy>(
        &'s mut self,
        session: &'s mut Session,
        shape: [usize; 4],
        values: &[T],
    ) -> ort::Result<SessionOutputs<'s>> {
        let fits = |kept: &DynTensor| kept.shape().iter().map(|&d| d as usize).eq(shape);
        let mut input = match self.input.take().filter(fits) {
            Some(kept) => kept,
            None => self.allocate(session, T::into_tensor_element_type(), shape)?,
        };
        input.try_extract_tensor_mut::<T>()?.1.copy_from_slice(values);
        self.binding.bind_input(PIXEL_INPUT, &input)?;
        self.input = Some(input);
        // The copy to the device may be under way on a stream that the run does not wait for.
        self.binding.synchronize_inputs()?;
        let outputs = session.run_binding(&self.binding)?;
        self.binding.synchronize_outputs()?;
        Ok(outputs)
    }

    /// Allocates the input of batches of another size, whose outputs do not fit into those of the last one.
    fn allocate(
        &mut self,
        session: &Session,
        kind: TensorElementType,
        shape: [usize; 4],
    ) -> ort::Result<DynTensor> {
        self.binding.clear_outputs();
        for output in session.outputs() {
            self.binding.bind_output_to_device(output.name(), &self.outputs)?;
        }
        DynTensor::new(&self.allocator, kind, shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::graph::{AttributeProto, GraphBuilder};
    use crate::backbone::onnx_runtime::OnnxBackbone;
    use crate::backbone::{Backbone, Device, SessionOptions};
    use crate::data::preprocess::{Normalization, Preprocessing, Resize};
    use crate::monitor::Silent;

    /// Ordinary memory stands for pinned memory, which needs a GPU.
    #[test]
    fn a_bound_session_gives_the_rows_of_one_that_is_not_whatever_the_batches() {
        let library = crate::backbone::install::find_library(false).unwrap().expect("run tests/run");
        let mut graph = GraphBuilder::new("flat", 8);
        graph.node("Flatten", &["input"], "flat", vec![AttributeProto::int("axis", 1)]);
        graph.output("flat", 3 * 8 * 8);
        let model = graph.finish(&[]);
        // The network is given bytes by the first, floats by the second.
        for resize in [Resize::BilinearPillow, Resize::BilinearTensorflow1] {
            let steps = Preprocessing { resize, ..Preprocessing::whole(8, Normalization::Unit) };
            let open = || {
                let options = SessionOptions::new(Device::Cpu);
                let (path, layers) = (&library.path, ["flat"]);
                let opened =
                    OnnxBackbone::open_unmeasured(path, model.clone(), &layers, &steps, options, &Silent);
                opened.unwrap().sessions.swap_remove(0)
            };
            let (mut plain, mut bound) = (open(), open());
            let session = &bound.opened.session;
            bound.opened.pinned = Some(PinnedMemory::new(session, AllocationDevice::CPU, 0).unwrap());
            for network in [&mut plain, &mut bound] {
                network.widths = network.measure_widths().unwrap();
            }
            for (number, images) in [2, 2, 5, 1].into_iter().enumerate() {
                let value = |i: usize| ((i * 7 + number * 31) % 200) as u8;
                let bytes: Vec<u8> = match plain.image_bytes() {
                    192 => (0..images * 192).map(value).collect(),
                    _ => (0..images * 192).flat_map(|i| f32::from(value(i)).to_ne_bytes()).collect(),
                };
                let rows = |network: &mut OnnxBackbone| {
                    network.embed(&bytes, images).unwrap().into_finite().unwrap()
                };
                assert_eq!(rows(&mut bound), rows(&mut plain), "{resize:?}, batch {number}");
            }
        }
    }
}
