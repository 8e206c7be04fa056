"""A size of EfficientNet-Lite, 0 to 2, in its PyTorch port, whose package `efficientnet-lite-pytorch` 0.1.0 must be importable:

    efficientnet_lite.py SIZE WEIGHTS.pth --known-answer > models/known/efficientnet-liteSIZE.txt
    efficientnet_lite.py SIZE WEIGHTS.pth IMAGES OUT.npy     # logits of the PNG files, in the order of their names
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

number, weights, *rest = sys.argv[1:]
network = EfficientNet.from_name(f"efficientnet-lite{number}")
network.load_state_dict(torch.load(weights, map_location="cpu"))
side = network._global_params.image_size
prepare = transforms.Compose([
    # Google crops 32 pixels less than the resized side.
    transforms.Resize(side + 32, interpolation=transforms.InterpolationMode.BICUBIC),
    transforms.CenterCrop(side),
    transforms.Lambda(lambda image: (torch.tensor(np.array(image)).permute(2, 0, 1).float() - 127.5) / 127.5),
])
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
