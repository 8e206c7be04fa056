"""Networks as folders, with random weights: `folder_nets.py OUT IMAGES [--small]`.

Writes a folder for each network as exporters leave it (ONNX, weights inside or beside it, preprocessor_config.json or
headstart.toml), and in `cases.json` what the framework's own preprocessing and network gave for the PNG files of IMAGES: the
features of one layer, as `FOLDER.LAYER.npy`. With --small the networks are tiny ones for the fixtures of the tests.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import torch
import torchvision
import transformers
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

out, images = map(pathlib.Path, sys.argv[1:3])
small = "--small" in sys.argv
pictures = [Image.open(path).convert("RGB") for path in sorted(images.glob("*.png"))]
torch.manual_seed(1)
cases = []


def folder(name):
    path = out / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def randomize(network):
    """Statistics of batch norm and scales that are not those of a new network."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "layer_scale" in name or "lambda" in name:
                parameter.uniform_(0.1, 0.5)
    return network.eval()


class Named(torch.nn.Module):
    """Returns some outputs of a network of transformers as a tuple."""

    def __init__(self, network, outputs, inputs):
        super().__init__()
        self.network, self.outputs, self.inputs = network, outputs, inputs

    def forward(self, *values):
        result = self.network(**dict(zip(self.inputs, values)), return_dict=True)
        return tuple(getattr(result, name) for name in self.outputs)


def export(network, inputs, outputs, path, fixed=False):
    values = tuple(inputs.values())
    axes = {name: {0: "batch"} for name in [*inputs, *outputs]}
    torch.onnx.export(network, values, path, input_names=list(inputs), output_names=outputs, opset_version=14,
                      dynamic_axes=None if fixed else axes, dynamo=False)


def export_dynamo(network, inputs, outputs, path, fixed=False):
    """Writes the weights beside the file, as this exporter does with large ones."""
    # A batch of one would be taken for a constant.
    values = tuple(value if fixed else torch.cat([value, value]) for value in inputs.values())
    # Some networks of transformers fix the batch when they are traced.
    shapes = tuple({0: torch.export.Dim.AUTO} for _ in values)
    # `Named` takes its inputs as one tuple.
    shapes = (shapes,) if isinstance(network, Named) else shapes
    torch.onnx.export(network, values, path, input_names=list(inputs), output_names=outputs, dynamo=True, external_data=True,
                      dynamic_shapes=None if fixed else shapes, verbose=False)


def both(name, processor, network, inputs, outputs, place="model.onnx", **more):
    """The folders NAME and NAME-dynamo."""
    for folder_name, exporter in [(name, export), (f"{name}-dynamo", export_dynamo)]:
        path = folder(folder_name)
        processor(path)
        (path / place).parent.mkdir(exist_ok=True)
        exporter(network, inputs, outputs, path / place, **more)


def beside(path):
    """Moves the weights into a file of their own."""
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="model.onnx_data", size_threshold=64)


def case(name, layer, pool, rows):
    file = f"{name}.{layer}.{pool or 'plain'}.npy"
    np.save(out / file, np.asarray(rows, np.float32).reshape(len(rows), -1))
    exported = [name] if small else [name, *(other for other in [f"{name}-dynamo"] if (out / other).is_dir())]
    cases.extend(dict(folder=folder, layer=layer, pool=pool, expected=file) for folder in exported)


def vit():
    config = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8)
    config = transformers.ViTConfig(**(config if small else dict(hidden_size=384, num_attention_heads=6, intermediate_size=1536)))
    network = randomize(transformers.ViTModel(config))
    side = config.image_size
    processor = transformers.ViTImageProcessor(size={"height": side, "width": side})
    outputs = ["last_hidden_state", "pooler_output"]
    both("vit", processor.save_pretrained, Named(network, outputs, ["pixel_values"]),
         {"pixel_values": torch.zeros(1, 3, side, side)}, outputs)
    beside(out / "vit/model.onnx")
    result = run(network, processor)
    case("vit", "pooler_output", None, result.pooler_output)
    case("vit", "last_hidden_state", "cls", result.last_hidden_state[:, 0])
    case("vit", "last_hidden_state", "mean", result.last_hidden_state.mean(1))
    case("vit", "last_hidden_state", "mean-patches", result.last_hidden_state[:, 1:].mean(1))


def run(network, processor, **more):
    with torch.no_grad():
        pixels = processor(pictures, return_tensors="pt")["pixel_values"]
        return network(pixel_values=pixels, **more, return_dict=True)


def dinov2():
    config = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=28, patch_size=14)
    large = dict(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=224, patch_size=14)
    config = transformers.Dinov2Config(**(config if small else large))
    network = randomize(transformers.Dinov2Model(config))
    side = config.image_size
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": side * 8 // 7 + 1}, crop_size={"height": side, "width": side}, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    outputs = ["last_hidden_state", "pooler_output"]
    # As optimum lays it out.
    both("dinov2", processor.save_pretrained, Named(network, outputs, ["pixel_values"]),
         {"pixel_values": torch.zeros(1, 3, side, side)}, outputs, "onnx/model.onnx")
    result = run(network, processor)
    case("dinov2", "last_hidden_state", "cls", result.last_hidden_state[:, 0])
    case("dinov2", "last_hidden_state", "mean-patches", result.last_hidden_state[:, 1:].mean(1))


def clip():
    vision = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=16)
    text = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=50)
    config = transformers.CLIPConfig(vision_config=vision if small else {}, text_config=text if small else {},
                                     projection_dim=12 if small else 512)
    network = randomize(transformers.CLIPModel(config))
    side = config.vision_config.image_size
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side)
    tokens = torch.ones(1, 7, dtype=torch.long)
    inputs = {"input_ids": tokens, "pixel_values": torch.zeros(1, 3, side, side), "attention_mask": tokens}
    outputs = ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
    both("clip", processor.save_pretrained, Named(network, outputs, list(inputs)), inputs, outputs)
    result = run(network, processor, input_ids=tokens, attention_mask=tokens)
    case("clip", "image_embeds", None, result.image_embeds)


def torchvision_net(name, network, layer):
    side, whole = (32, 37) if small else (224, 256)
    network = randomize(network)
    settings = (f'title = "{name} of torchvision"\n\n[preprocessing]\ncrop = 1.0\nresize = "bilinear-pillow"\n'
                f'shorter_side = {whole}\nsize = {side}\nscale = "imagenet"\n')
    prepare = torchvision.transforms.Compose([
        torchvision.transforms.Resize(whole), torchvision.transforms.CenterCrop(side), torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    # A batch of one, as files are exported without a thought.
    both(name, lambda path: (path / "headstart.toml").write_text(settings), network, {"input": torch.zeros(1, 3, side, side)},
         [layer], fixed=name == "resnet50")
    with torch.no_grad():
        case(name, layer, None, torch.stack([network(prepare(picture)[None])[0] for picture in pictures]))


def bytes_and_halves():
    """Bytes `[batch, height, width, 3]` in, 16-bit floats `[batch, height, width, channels]` out, and a switch beside them."""
    side, channels = 16, 5
    draw = np.random.default_rng(2)
    weights = (draw.normal(size=(channels, 3, 3, 3)) / 8).astype(np.float16)
    nodes = [
        helper.make_node("Cast", ["image"], ["halves"], to=TensorProto.FLOAT16),
        helper.make_node("Div", ["halves", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "weights"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["conv"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["last", "gain"], ["features"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "bytes", [value("image", TensorProto.UINT8, ["batch", side, side, 3]), value("gain16", TensorProto.FLOAT, [1])],
        [value("features", TensorProto.FLOAT16, ["batch", side, side, channels])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float16(255), "scale")])
    graph.node.insert(0, helper.make_node("Cast", ["gain16"], ["gain"], to=TensorProto.FLOAT16))
    path = folder("bytes")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path / "network.onnx")
    (path / "headstart.toml").write_text(
        'model = "network.onnx"\n\n[inputs]\ngain16 = 2\n\n[preprocessing]\ncrop = 1.0\nresize = "lanczos-pillow"\n'
        f'size = {side}\nscale = "none"\n')
    kernel = torch.tensor(weights.astype(np.float64))
    rows = []
    for picture in pictures:
        pixels = np.asarray(picture.resize((side, side), Image.LANCZOS))
        scaled = (pixels.astype(np.float16) / np.float16(255)).astype(np.float64)
        planes = torch.tensor(scaled).permute(2, 0, 1)[None]
        rows.append(2 * torch.nn.functional.conv2d(planes, kernel, padding=1).mean((2, 3))[0].numpy())
    case("bytes", "features", "channels-last", rows)


def pixels(name, processor, element=TensorProto.FLOAT):
    """A network that gives its input, so that the pixels themselves are compared."""
    sides = processor.crop_size if getattr(processor, "do_center_crop", False) else processor.size
    side = sides.get("height") or sides["shortest_edge"]
    value = helper.make_tensor_value_info
    flat = helper.make_graph(
        [helper.make_node("Flatten", ["pixel_values"], ["pixels"])], "pixels",
        [value("pixel_values", element, ["batch", 3, side, side])],
        [value("pixels", element, ["batch", 3 * side * side])])
    path = folder(name)
    onnx.save(helper.make_model(flat, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path / "model.onnx")
    processor.save_pretrained(path)
    values = processor(pictures, return_tensors="np")["pixel_values"]
    case(name, "pixels", None, values.astype(helper.tensor_dtype_to_np_dtype(element)))


side = 8 if small else 224
pixels("pixels-vit", transformers.ViTImageProcessor(size={"height": side, "width": side}, resample=1))
pixels("pixels-halves", transformers.ViTImageProcessor(size={"height": side, "width": side}, resample=1), TensorProto.FLOAT16)
pixels("pixels-clip", transformers.CLIPImageProcessor(size={"shortest_edge": side + 1}, crop_size=side))
pixels("pixels-convnext", transformers.ConvNextImageProcessor(size={"shortest_edge": side}, crop_pct=0.875))
vit()
dinov2()
clip()
bytes_and_halves()
if not small:
    resnet = torchvision.models.resnet50()
    resnet.fc = torch.nn.Identity()
    torchvision_net("resnet50", resnet, "features")
    convnext = torchvision.models.convnext_tiny()
    convnext.classifier[2] = torch.nn.Identity()
    torchvision_net("convnext", convnext, "features")
(out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
