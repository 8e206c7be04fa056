"""Writes random images into a folder, with the pixels that Pillow makes of them for variants of many names; prints the list as
JSON."""

import json
import pathlib
import re
import sys

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(4)
cases = []


def part_of(side, factor):
    """A share of a side in whole pixels. The factor has at most two decimals."""
    return max((side * round(float(factor) * 100) + 50) // 100, 1)


def shift(image, dx, dy):
    frame = Image.new("RGB", image.size)
    frame.paste(image, (int(dx), int(dy)))
    return frame


def crop(image, text):
    factor, place = text.split("@")
    width, height = (part_of(side, factor) for side in image.size)
    right, bottom = image.width - width, image.height - height
    left = {"l": 0, "r": right}.get(place[-1], right // 2)
    top = {"t": 0, "b": bottom}.get(place[0], bottom // 2)
    return image.crop((left, top, left + width, top + height))


def scale(image, factor):
    width, height = (part_of(side, factor) for side in image.size)
    resized = image.resize((width, height), Image.BILINEAR)
    if float(factor) > 1:
        left, top = (width - image.width) // 2, (height - image.height) // 2
        return resized.crop((left, top, left + image.width, top + image.height))
    frame = Image.new("RGB", image.size)
    frame.paste(resized, ((image.width - width) // 2, (image.height - height) // 2))
    return frame


STEPS = {
    "flip": ImageOps.mirror,
    "shift": shift,
    "rotate": lambda image, degrees: image.rotate(float(degrees), Image.BILINEAR),
    "crop": crop,
    "scale": scale,
    "brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(float(factor)),
    "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(float(factor)),
    "saturation": lambda image, factor: ImageEnhance.Color(image).enhance(float(factor)),
    "blur": lambda image, deviation: image.filter(ImageFilter.GaussianBlur(float(deviation))),
}

NAMES = """
flip shift:+5:-3 rotate:+10 rotate:-10 rotate:+0.5 rotate:-7.25 rotate:+45 rotate:+90 rotate:-90 rotate:+135 rotate:+180
rotate:-179.99 crop:0.8@tl crop:0.8@tr crop:0.8@bl crop:0.8@br crop:0.8@c crop:0.33@c scale:0.8 scale:1.2 scale:0.33 scale:2.5
brightness:0.8 brightness:1.2 brightness:3.75 brightness:0.1 contrast:0.5 contrast:1.2 contrast:4 saturation:0 saturation:0.5
saturation:1.7 saturation:4 blur:0.1 blur:0.5 blur:1 blur:2 blur:3.3 blur:12.5 blur:50 flip+rotate:+10 rotate:+10+flip
crop:0.8@tl+brightness:0.8 flip+rotate:-10+blur:2 shift:+3:+0+scale:0.9
""".split()


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), (x + y) % 256], -1)
    noise = random.integers(-60, 60, (height, width, 3))
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def made(image, name):
    for step in re.split(r"\+(?=[a-z])", name):
        kind, *values = step.split(":")
        image = STEPS[kind](image, *values)
    return image


for width, height in [(1, 1), (2, 3), (5, 1), (17, 64), (64, 17), (40, 40), (75, 51), (250, 249)]:
    source = picture(width, height)
    file = folder / f"{width}x{height}.rgb"
    file.write_bytes(source.tobytes())
    for number, name in enumerate(NAMES):
        image = made(source, name)
        expected = folder / f"{width}x{height}-{number}.rgb"
        expected.write_bytes(image.tobytes())
        cases.append(dict(variant=name, source=file.name, width=width, height=height, expected=expected.name,
                          to_width=image.width, to_height=image.height))
print(json.dumps(cases))
