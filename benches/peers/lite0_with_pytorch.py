"""timm's EfficientNet-Lite0 in PyTorch: `lite0_with_pytorch.py IMAGES|COUNT --threads N [--channels-last] [--workers W]`.

With a folder IMAGES/<class>/<file> the pictures come from a DataLoader with torchvision's transforms; with a number the network
runs as often on one batch of noise that is ready in memory. Its weights are random: for timing only. Prints one line of JSON:
"images", and "seconds" of the loop, without imports and making the network."""

import argparse
import json
import pathlib
import time

import timm
import torch
from PIL import Image
from torchvision import transforms

BATCH = 8
SIDE = 224


class Pictures(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths
        self.transform = transforms.Compose([
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(SIDE),
            transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        with Image.open(self.paths[number]) as image:
            return self.transform(image.convert("RGB"))


parser = argparse.ArgumentParser()
parser.add_argument("images")
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--channels-last", action="store_true")
parser.add_argument("--workers", type=int, default=0)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)
layout = torch.channels_last if args.channels_last else torch.contiguous_format
model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval().to(memory_format=layout)
if args.images.isdigit():
    noise = torch.rand(BATCH, 3, SIDE, SIDE)
    batches = (noise for _ in range(0, int(args.images), BATCH))
    count = -(-int(args.images) // BATCH) * BATCH
else:
    paths = sorted(path for path in pathlib.Path(args.images).glob("*/**/*") if path.is_file())
    batches = torch.utils.data.DataLoader(Pictures(paths), batch_size=BATCH, num_workers=args.workers)
    count = len(paths)
with torch.inference_mode():
    model(torch.rand(BATCH, 3, SIDE, SIDE).to(memory_format=layout))
    started = time.perf_counter()
    rows = torch.cat([model(batch.to(memory_format=layout)) for batch in batches])
    seconds = time.perf_counter() - started
assert rows.shape == (count, 1280) and torch.isfinite(rows).all(), rows.shape
print(json.dumps({"images": count, "seconds": seconds}))
