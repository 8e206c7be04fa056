"""Writes images of many kinds and sizes into a folder, with the pixels that Pillow reads from them and what its filters make of
those; prints the list as JSON."""

import json
import pathlib
import sys

import numpy as np
from PIL import Image, ImageOps

folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(1)
cases = []

# Resizes the shorter side to the first number and keeps a square of the second, as torchvision and timm do.
FITTED = 45, 32


def fitted(image):
    shorter, side = FITTED
    width, height = image.size
    longer = int(shorter * max(width, height) / min(width, height))
    image = image.resize((shorter, longer) if width <= height else (longer, shorter), Image.BICUBIC)
    left, top = (int(round((length - side) / 2)) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def squared(image):
    """Both sides to the first number, then the centre with its margin rounded down, as transformers do."""
    whole, side = FITTED[0], FITTED[1]
    margin = (whole - side) // 2
    image = image.resize((whole, whole), Image.LANCZOS)
    return image.crop((margin, margin, margin + side, margin + side))


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), (x + y) % 256], -1)
    noise = random.integers(-60, 60, (height, width, 3))
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def case(name, image, to, lossy=False, **options):
    file = folder / f"{len(cases):03}-{name}"
    image.save(file, **options)
    with Image.open(file) as opened:
        rgb = ImageOps.exif_transpose(opened).convert("RGB")
    pixels, resized = file.with_suffix(".rgb"), file.with_suffix(".resized")
    pixels.write_bytes(rgb.tobytes())
    resized.write_bytes(rgb.resize(to, Image.BILINEAR).tobytes())
    for name in ["NEAREST", "BOX", "HAMMING", "BICUBIC", "LANCZOS"]:
        file.with_suffix(f".{name.lower()}").write_bytes(rgb.resize(to, Image.Resampling[name]).tobytes())
    file.with_suffix(".squared").write_bytes(squared(rgb).tobytes())
    file.with_suffix(".fitted").write_bytes(fitted(rgb).tobytes())
    cases.append(
        dict(file=file.name, rgb=pixels.name, resized=resized.name, width=rgb.width, height=rgb.height,
             to_width=to[0], to_height=to[1], lossy=lossy)
    )


SIZES = [(250, 250), (299, 299), (1, 1), (2, 3), (17, 640), (640, 17), (298, 300), (1023, 767), (75, 75), (600, 599)]
for size in SIZES:
    for to in [(299, 299), (75, 75), (32, 32), (size[0], 50), (331, size[1])]:
        case(f"{size[0]}x{size[1]}.png", picture(*size), to)

source = picture(90, 70)
alpha = Image.fromarray(random.integers(0, 256, (70, 90), dtype=np.uint8))
with_alpha = source.copy()
with_alpha.putalpha(alpha)
grey_alpha = Image.merge("LA", (source.convert("L"), alpha))
palette = source.quantize(60)
for extension in ["png", "tiff"]:
    case(f"grey.{extension}", source.convert("L"), (64, 64))
    case(f"bits.{extension}", source.convert("1"), (64, 64))
    case(f"rgba.{extension}", with_alpha, (64, 64))
case("greyalpha.png", grey_alpha, (64, 64))
case("palette.png", palette, (64, 64))
case("palette-clear.png", palette, (64, 64), transparency=3)
case("palette.gif", palette, (64, 64))
case("plain.bmp", source, (64, 64))
case("lossless.webp", source, (64, 64), lossless=True)
case("rgba.webp", with_alpha, (64, 64), lossless=True, exact=True)
case("misnamed.jpg.png", source, (64, 64), format="BMP")
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    case(f"turned{orientation}.png", source, (64, 64), exif=exif)
    case(f"turned{orientation}.jpg", source, (64, 64), lossy=True, exif=exif, quality=92)
case("grey.jpg", source.convert("L"), (64, 64), lossy=True)
case("progressive.jpg", source, (64, 64), lossy=True, progressive=True, quality=90)
print(json.dumps(cases))
