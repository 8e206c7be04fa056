"""Perceptual hashes by SciPy, and copies to find: python perceptual.py FOLDER.

For each FOLDER/<class>/<name>.png writes <name>-saved.jpg, <name>-small.png and <name>-mirrored.png beside it, and prints the
hash of the picture by its path: the signs of the low frequencies of the DCT, as section 3.2.1 of Zauner 2010 has them.
"""

import json
import pathlib
import sys

import numpy as np
import scipy.fft
from PIL import Image, ImageOps

folder = pathlib.Path(sys.argv[1])
hashes = {}
for path in sorted(folder.glob("*/*.png")):
    picture = Image.open(path).convert("RGB")
    red, green, blue = np.moveaxis(np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), dtype=float), 2, 0)
    grey = (299 * red + 587 * green + 114 * blue) / 1000
    low = scipy.fft.dctn(grey, type=2)[1:9, 1:9]
    bits = (low > np.median(low)).flatten()
    hashes[path.relative_to(folder).as_posix()] = "".join("1" if bit else "0" for bit in bits)
    picture.save(path.with_name(path.stem + "-saved.jpg"), quality=60)
    picture.resize((picture.width * 3 // 5, picture.height * 3 // 5), Image.Resampling.LANCZOS).save(path.with_name(path.stem + "-small.png"))
    ImageOps.mirror(picture).save(path.with_name(path.stem + "-mirrored.png"))
print(json.dumps(hashes))
