"""EfficientNet-Lite0 in its PyTorch port, whose package `efficientnet-lite-pytorch` 0.1.0 must be importable:

    efficientnet_lite.py WEIGHTS.pth --known-answer > models/known/efficientnet-lite0.txt
    efficientnet_lite.py WEIGHTS.pth IMAGES OUT.npy     # logits of the PNG files, in the order of their names
"""

import pathlib
import sys

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torchvision import transforms

sys.path.append(str(pathlib.Path(__file__).parents[1] / "oracle"))
from known_answer import probe_image  # noqa: E402

prepare = transforms.Compose([
    transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
    transforms.CenterCrop(224),
    transforms.Lambda(lambda image: (torch.tensor(np.array(image)).permute(2, 0, 1).float() - 127.5) / 127.5),
])

weights, *rest = sys.argv[1:]
network = EfficientNet.from_name("efficientnet-lite0")
network.load_state_dict(torch.load(weights, map_location="cpu"))
# In float64, so that the reference has no rounding of its own.
network = network.eval().double()


def run(image):
    features = network.extract_features(prepare(image.convert("RGB"))[None].double())
    pooled = features.mean((2, 3))
    return pooled[0], network._fc(pooled)[0]


with torch.no_grad():
    if rest == ["--known-answer"]:
        print("# PreLogits of the known-answer image, made by tests/parity/efficientnet_lite.py")
        for value in run(probe_image())[0].numpy().astype(np.float32):
            print(np.format_float_positional(value, unique=True))
    else:
        images, out = rest
        rows = [run(Image.open(path))[1].numpy() for path in sorted(pathlib.Path(images).glob("*.png"))]
        np.save(out, np.array(rows))
