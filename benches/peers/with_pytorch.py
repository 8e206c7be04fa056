"""torchvision's Inception-v3 in PyTorch, channels last; `--compile` adds torch.compile. Its weights are random: for timing only.

The data come from a DataLoader with torchvision's transforms of Pillow pictures, and go to Parquet through pyarrow.
"""

import os
import time

import common
import torch
import torchvision
from PIL import Image
from torchvision import transforms


class Pictures(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths
        scale = transforms.Normalize([0.5] * 3, [0.5] * 3)
        self.transform = transforms.Compose([transforms.Resize((common.SIDE,) * 2), transforms.ToTensor(), scale])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, at):
        with Image.open(self.paths[at]) as image:
            return self.transform(image.convert("RGB"))


def network():
    torch.manual_seed(0)
    model = torchvision.models.inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
    model.fc = torch.nn.Identity()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            # Keeps the size of what flows through: numbers that shrink from layer to layer can become denormal, and slow.
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model.eval().to(memory_format=torch.channels_last)


parser = common.parser()
parser.add_argument("--compile", action="store_true")
args = parser.parse_args()
paths = common.files(args.images)
torch.set_num_threads(args.threads)
t=time.perf_counter()
model = network()
import sys; print("network", time.perf_counter()-t, file=sys.stderr)
if args.compile:
    import torch._inductor.config

    torch._inductor.config.freezing = bool(int(os.environ.get("FREEZE","1")))
    model = torch.compile(model)

loader = torch.utils.data.DataLoader(Pictures(paths), batch_size=common.BATCH, num_workers=int(os.environ.get("WORKERS","1")))
with torch.inference_mode():
    t=time.perf_counter()
    if args.compile:
        model(torch.zeros(common.BATCH, 3, common.SIDE, common.SIDE).to(memory_format=torch.channels_last))
    print("compile", time.perf_counter()-t, file=sys.stderr)

    started = time.perf_counter()
    features = []
    for batch in loader:
        full = torch.nn.functional.pad(batch, (0, 0) * 3 + (0, common.BATCH - len(batch)))
        rows = model(full.to(memory_format=torch.channels_last))
        features.append(rows[: len(batch)].numpy())
common.finish(args, paths, features, started)
