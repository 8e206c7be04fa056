"""torchvision's Inception-v3 in PyTorch, channels last; `--compile` adds torch.compile. Its weights are random: for timing only.

The pictures come from a DataLoader with torchvision's transforms, and the features go to Parquet through pyarrow.
"""

import time

import common
import numpy as np
import torch
import torchvision
from PIL import Image
from torch.nn import functional
from torchvision import transforms

# With two cores a worker gains nothing: it takes from the network's threads, which wait for each other, what it saves.
WORKERS = 0


class Pictures(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths
        scale = transforms.Normalize([0.5] * 3, [0.5] * 3)
        self.transform = transforms.Compose([transforms.Resize((common.SIDE,) * 2), transforms.ToTensor(), scale])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        with Image.open(self.paths[number]) as image:
            return self.transform(image.convert("RGB"))


def network():
    torch.manual_seed(0)
    model = torchvision.models.inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=False)
    model.fc = torch.nn.Identity()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            # What flows through keeps its size; numbers that shrink in every layer could become denormal, and slow.
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model.eval().to(memory_format=torch.channels_last)


def embed(model, batch):
    """The features of a batch, filled up to the usual length: another would be compiled anew."""
    full = functional.pad(batch, (0, 0) * 3 + (0, common.BATCH - len(batch)))
    return model(full.to(memory_format=torch.channels_last))[: len(batch)].numpy()


parser = common.parser()
parser.add_argument("--compile", action="store_true")
args = parser.parse_args()
paths = common.files(args.images)
torch.set_num_threads(args.threads)
model = network()
loader = torch.utils.data.DataLoader(Pictures(paths), batch_size=common.BATCH, num_workers=WORKERS)
with torch.inference_mode():
    if args.compile:
        from torch._inductor import config

        config.freezing = True  # weights become constants, and the batch norms part of them
        model = torch.compile(model)
        embed(model, torch.zeros(common.BATCH, 3, common.SIDE, common.SIDE))

    started = time.perf_counter()
    features = [embed(model, batch) for batch in loader]
common.finish(args, paths, np.concatenate(features), started)
