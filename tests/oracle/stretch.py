"""Pixels as `scipy.misc.imresize` made them of float32 images until SciPy 1.2: python stretch.py PNG SIDE OUT. The arithmetic
of its `bytescale` (scipy/misc/pilutil.py), written down anew since the function is gone, then Pillow's bilinear resize."""

import pathlib
import sys

import numpy as np
from PIL import Image

image = np.asarray(Image.open(sys.argv[1]).convert("RGB")).astype(np.float32)
side = int(sys.argv[2])
low, high = image.min(), image.max()
scale = float(255) / (high - low if high > low else 1)
scaled = ((image - low) * np.float32(scale)).clip(0, 255) + np.float32(0.5)
resized = Image.fromarray(scaled.astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
pathlib.Path(sys.argv[3]).write_bytes(np.asarray(resized).tobytes())
