"""Draws eight pictures of different sizes: `pictures.py FOLDER`."""

import pathlib
import sys

import numpy as np
from PIL import Image

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
draw = np.random.default_rng(3)
for number, (width, height) in enumerate([(500, 375), (375, 500), (299, 299), (250, 250), (640, 480), (1024, 683), (333, 517), (420, 300)]):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x * draw.uniform(0.01, 0.2) + y * draw.uniform(0.01, 0.2) + draw.uniform(0, 6)) for _ in range(9)]
    pixels = np.stack([127 + 40 * sum(waves[c::3]) + draw.normal(0, 12, (height, width)) for c in range(3)], 2)
    x0, y0 = draw.integers(0, width // 2), draw.integers(0, height // 2)
    pixels[y0 : y0 + height // 4, x0 : x0 + width // 4] = draw.integers(0, 256, 3)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
