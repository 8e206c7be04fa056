"""torchvision's, timm's and torch-fidelity's Inception-v3 with random weights: saves them in PyTorch's formats and asks them
about images with their own preprocessing. `torch_nets.py OUT IMAGES`, or `torch_nets.py OUT --small` for fixtures."""

import sys

import numpy as np
import timm
import timm.data
import torch
import torch_fidelity.feature_extractor_inceptionv3 as fidelity_nets
import torchvision
import torchvision.models.inception as torchvision_nets
from PIL import Image
from safetensors.torch import save_file

import common

# The package hides the module behind a function of the same name.
timm_nets = sys.modules["timm.models.inception_v3"]
out, size, paths = common.arguments()
torch.set_num_threads(2)


def scale(kind):
    """Makes a class of convolutions take fewer channels."""
    make = kind.__init__
    kind.__init__ = lambda self, inputs, filters, *rest, **more: make(
        self, size.channels(inputs), size.channels(filters), *rest, **more
    )


if size.small:
    for kind in [torchvision_nets.BasicConv2d, timm_nets.ConvNormAct, fidelity_nets.BasicConv2d]:
        scale(kind)


def randomize(net, seed):
    values = common.Values(seed, size)
    for module in net.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            shape = tuple(module.weight.shape)
            module.weight.data = torch.from_numpy(values.kernel(shape, int(np.prod(shape[1:]))))
            if module.bias is not None:
                module.bias.data = torch.from_numpy(values.beta(shape[0]))
        if isinstance(module, torch.nn.BatchNorm2d):
            n = module.num_features
            module.weight.data = torch.from_numpy(values.gamma(n))
            module.bias.data = torch.from_numpy(values.beta(n))
            module.running_mean = torch.from_numpy(values.mean(n))
            module.running_var = torch.from_numpy(values.variance(n))
    return net.eval()


# The modules behind TF-Slim's names, where they are called otherwise.
POOLS = {
    "torchvision": {"MaxPool_3a_3x3": "maxpool1", "MaxPool_5a_3x3": "maxpool2", "PreLogits": "avgpool", "Logits": "fc"},
    "timm": {"MaxPool_3a_3x3": "Pool1", "MaxPool_5a_3x3": "Pool2", "PreLogits": "global_pool", "Logits": "fc"},
    "fid": {"MaxPool_3a_3x3": "MaxPool_1", "MaxPool_5a_3x3": "MaxPool_2", "PreLogits": "AvgPool"},
}


def ask(net, kind, inputs):
    """Runs the network on each input. Returns what enters its first convolution, and the endpoints."""
    found, hooks = {}, []
    modules = dict(net.named_modules())

    def keep(name):
        return lambda module, given, result: found.setdefault(name, []).append(result.detach().numpy().copy())

    names = [name for name in common.ENDPOINTS + ["PreLogits", "Logits"] if (POOLS[kind].get(name, name)) in modules]
    for name in names:
        hooks.append(modules[POOLS[kind].get(name, name)].register_forward_hook(keep(name)))
    entered = []
    hooks.append(net.Conv2d_1a_3x3.register_forward_pre_hook(lambda _, given: entered.append(given[0].numpy().copy())))
    with torch.no_grad():
        for one in inputs:
            answer = net(one)
            if kind == "fid":
                found.setdefault("Logits", []).append(answer[-1].numpy().copy())
    for hook in hooks:
        hook.remove()
    found = {name: np.concatenate(parts) for name, parts in found.items()}
    found["PreLogits"] = found["PreLogits"].reshape(len(found["PreLogits"]), -1)
    return np.concatenate(entered), found


def without_top(net, width, classes):
    net.fc = torch.nn.Linear(size.channels(width), classes)
    return net


def torchvision_net():
    classes = size.classes(1000)
    net = torchvision.models.Inception3(num_classes=classes, aux_logits=True, transform_input=True, init_weights=False)
    without_top(net, 2048, classes)
    net.AuxLogits.fc = torch.nn.Linear(size.channels(768), classes)
    transforms = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1.transforms()
    return net, transforms


def timm_net():
    classes = size.classes(1000)
    net = timm_nets.InceptionV3(num_classes=classes)
    without_top(net, 2048, classes)
    config = timm.data.resolve_data_config(timm.create_model("inception_v3.tf_in1k", pretrained=False).pretrained_cfg)
    return net, timm.data.create_transform(**config, is_training=False)


def fidelity_net():
    """torch-fidelity's network loads its weights when it is made, so these are made beside it."""
    load, apply = torch.load, fidelity_nets.FeatureExtractorInceptionV3.load_state_dict
    torch.load = lambda *_, **__: {}
    fidelity_nets.FeatureExtractorInceptionV3.load_state_dict = lambda *_: None
    net = fidelity_nets.FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits"], "made")
    torch.load, fidelity_nets.FeatureExtractorInceptionV3.load_state_dict = load, apply
    net.INPUT_IMAGE_SIZE = size.side
    without_top(net, 2048, size.classes(1008))
    return net, lambda image: torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def save(net, name, formats):
    """Saves the state dict in each format. Returns the files."""
    state = net.state_dict()
    writers = {
        "pth": lambda path: torch.save(state, path),
        "legacy.pth": lambda path: torch.save(state, path, _use_new_zipfile_serialization=False),
        "safetensors": lambda path: save_file(state, str(path)),
    }
    files = []
    for end in formats:
        files.append(out / f"{name}.{end}")
        writers[end](files[-1])
    return files


def main():
    nets = [
        ("torchvision", torchvision_net, "torchvision", ["pth", "legacy.pth"] if size.small else ["pth", "legacy.pth", "safetensors"]),
        ("timm", timm_net, "timm", ["safetensors"] if size.small else ["safetensors", "pth"]),
        ("fid", fidelity_net, "fid", ["pth"]),
    ]
    for seed, (name, make, kind, formats) in enumerate(nets):
        net, prepare = make()
        randomize(net, seed)
        files = save(net, name, formats)
        if size.small:
            probe = torch.from_numpy(common.probe(size.side).transpose(0, 3, 1, 2).copy())
            # Beyond its own preprocessing: the tensor that enters the first convolution is (x - 127.5) / 127.5.
            if kind == "torchvision":
                net.transform_input = False
            inputs = [probe] if kind == "fid" else [probe.float() / 127.5 - 1]
        else:
            inputs = [prepare(Image.open(path).convert("RGB"))[None] for path in paths]
        entered, found = ask(net, kind, inputs)
        names = [file.name for file in files]
        if size.small:
            for file in names:
                common.expect(out, file, found)
        else:
            common.store(out, names, kind, entered, found)
        print(name, names, file=sys.stderr)


main()
