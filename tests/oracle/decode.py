"""Writes images of every variant of their formats into a folder, with the pixels that Pillow reads from them; prints the
list as JSON. JPEG and PNG come from small encoders of this file, since Pillow writes few of their variants."""

import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(7)
cases = []


def case(name, data, expected=None):
    file = folder / name
    file.write_bytes(data)
    if expected is None:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    else:
        image = Image.fromarray(expected)
    pixels = file.with_name(name + ".rgb")
    pixels.write_bytes(image.tobytes())
    cases.append(dict(file=name, rgb=pixels.name, width=image.width, height=image.height))


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def texture(width, height, channels=3):
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 100 * np.sin(x / (4 + c) + c) * np.cos(y / (5 + c)) for c in range(channels)]
    return (np.stack(waves, -1) + random.normal(0, 6, (height, width, channels))).clip(0, 255).astype("u1")


# JPEG (ITU-T T.81): Huffman codes of one length, one quantization table of threes.
ZIGZAG = sorted(range(64), key=lambda i: (s := i // 8 + i % 8, i // 8 if s % 2 else i % 8))
BASIS = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else 0.125**0.5) for x in range(8)] for u in range(8)])
DC = list(range(12))
AC = [0, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]


class Bits:
    def __init__(self):
        self.text = []

    def symbol(self, symbols, length, symbol):
        self.text.append(format(symbols.index(symbol), f"0{length}b"))

    def value(self, value, size):
        if size:
            self.text.append(format(value if value > 0 else value + (1 << size) - 1, f"0{size}b"))

    def bytes(self):
        bits = "".join(self.text)
        bits += "1" * (-len(bits) % 8)
        data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        return data.replace(b"\xff", b"\xff\0")


def size(value):
    return int(abs(value)).bit_length()


def marker(code, data=b""):
    return bytes([0xFF, code]) + (struct.pack(">H", len(data) + 2) + data if data else b"")


def table(kind, symbols, length):
    counts = [len(symbols) if i + 1 == length else 0 for i in range(16)]
    return marker(0xC4, bytes([kind << 4, *counts, *symbols]))


def coefficients(plane, blocks_down, blocks_across):
    padded = np.pad(plane, [(0, blocks_down * 8 - plane.shape[0]), (0, blocks_across * 8 - plane.shape[1])], "edge")
    blocks = padded.reshape(blocks_down, 8, blocks_across, 8).transpose(0, 2, 1, 3).astype(float) - 128
    return np.rint(BASIS @ blocks @ BASIS.T / 3).astype(int).reshape(blocks_down, blocks_across, 64)[:, :, ZIGZAG]


def scan(components, blocks, band, interleaved, restart):
    """Data of a scan. `blocks` lists MCUs: pairs of a component and its coefficients."""
    out, bits, before, count = [], Bits(), dict.fromkeys(components, 0), 0
    for mcu in blocks:
        if restart and count and count % restart == 0:
            out += [bits.bytes(), marker(0xD0 + (count // restart - 1) % 8)]
            bits, before = Bits(), dict.fromkeys(components, 0)
        count += 1
        for component, block in mcu:
            if band[0] == 0:
                difference = int(block[0]) - before[component]
                before[component] = int(block[0])
                bits.symbol(DC, 4, size(difference))
                bits.value(difference, size(difference))
            run = 0
            for k in range(max(band[0], 1), band[1] + 1):
                value = int(block[k])
                if value == 0:
                    run += 1
                    continue
                while run > 15:
                    bits.symbol(AC, 8, 0xF0)
                    run -= 16
                bits.symbol(AC, 8, run << 4 | size(value))
                bits.value(value, size(value))
                run = 0
            if run and band[1] > 0:
                bits.symbol(AC, 8, 0)
    return b"".join(out) + bits.bytes()


def jpeg(planes, sampling, layout, adobe=None, restart=0):
    """`layout`: one scan (`baseline`), a scan a component (`separate`), or `progressive`."""
    height, width = planes[0].shape
    across, down = max(h for h, _ in sampling), max(v for _, v in sampling)
    mcus_across, mcus_down = -(-width // (8 * across)), -(-height // (8 * down))
    data, parts = [], []
    for plane, (h, v) in zip(planes, sampling):
        step_x, step_y = across // h, down // v
        small = plane[::step_y, ::step_x]
        data.append(coefficients(small, mcus_down * v, mcus_across * h))
        parts.append((-(-(-(-width * h // across)) // 8), -(-(-(-height * v // down)) // 8)))
    ids = range(1, len(planes) + 1)
    frame = struct.pack(">BHHB", 8, height, width, len(planes))
    frame += b"".join(bytes([i, h << 4 | v, 0]) for i, (h, v) in zip(ids, sampling))
    out = [marker(0xD8)]
    if adobe is None:
        out.append(marker(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"))
    else:
        out.append(marker(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe])))
    out += [marker(0xDB, bytes([0] + [3] * 64)), table(0, DC, 4), table(1, AC, 8)]
    out += [marker(0xC2 if layout == "progressive" else 0xC0, frame)]
    if restart:
        out.append(marker(0xDD, struct.pack(">H", restart)))

    def together():
        for y in range(mcus_down):
            for x in range(mcus_across):
                yield [(c, data[c][y * v + j, x * h + i]) for c, (h, v) in enumerate(sampling) for j in range(v) for i in range(h)]

    def alone(c):
        across, down = parts[c]
        return ([(c, data[c][y, x])] for y in range(down) for x in range(across))

    everything = list(range(len(planes)))
    if len(planes) == 1:
        together = lambda: alone(0)
    bands = {"baseline": [(everything, (0, 63))], "separate": [([c], (0, 63)) for c in everything],
             "progressive": [(everything, (0, 0))] + [([c], b) for c in everything for b in [(1, 5), (6, 63)]]}[layout]
    for components, band in bands:
        header = bytes([len(components)]) + b"".join(bytes([ids[c], 0]) for c in components)
        out.append(marker(0xDA, header + bytes([*band, 0])))
        blocks = together() if len(components) == len(planes) else alone(components[0])
        out.append(scan(components, blocks, band, len(components) > 1, restart))
    return b"".join(out) + marker(0xD9)


SAMPLINGS = [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (4, 2), (2, 4)]
MODELS = {"grey": (1, None), "ycbcr": (3, None), "rgb": (3, 0), "cmyk": (4, 0), "ycck": (4, 2)}
for model, (channels, adobe) in MODELS.items():
    planes = list(texture(53, 39, channels).transpose(2, 0, 1))
    for h, v in SAMPLINGS if channels > 1 else [(1, 1), (2, 2)]:
        sampling = [(h, v)] + [(1, 1)] * (channels - 1)
        if channels == 4:
            sampling[3] = (h, v)
        for layout in ["baseline", "separate", "progressive"]:
            # An MCU holds at most ten blocks.
            if layout != "separate" and channels > 1 and sum(a * b for a, b in sampling) > 10:
                continue
            for restart in [0, 3]:
                case(f"{model}-{h}x{v}-{layout}-{restart}.jpg", jpeg(planes, sampling, layout, adobe, restart))
planes = list(texture(53, 39).transpose(2, 0, 1))
for layout in ["baseline", "separate", "progressive"]:
    case(f"finer-chroma-{layout}.jpg", jpeg(planes, [(1, 1), (2, 2), (2, 2)], layout))
    case(f"mixed-{layout}.jpg", jpeg(planes, [(2, 2), (2, 1), (1, 2)], layout))


# PNG (ISO/IEC 15948).
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(row, depth):
    """A row of samples as bytes."""
    flat = row.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    bits = (flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype("u1").reshape(-1)).tobytes()


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, kind, step):
    out, above = [], None
    for row in rows:
        above = above if above is not None else bytes(len(row))
        left = lambda i: row[i - step] if i >= step else 0
        corner = lambda i: above[i - step] if i >= step else 0
        guess = [lambda i: 0, left, lambda i: above[i], lambda i: (left(i) + above[i]) // 2,
                 lambda i: paeth(left(i), above[i], corner(i))][kind]
        out.append(bytes([kind]) + bytes((row[i] - guess(i)) % 256 for i in range(len(row))))
        above = row
    return b"".join(out)


def png(samples, depth, colour, interlaced=False, kind=0, extra=b"", after=b""):
    height, width, channels = samples.shape
    step = max(1, depth * channels // 8)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for x, y, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[y::dy, x::dx]
        if part.size:
            raw += filtered([packed(row, depth) for row in part], kind, step)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw))
            + after + chunk(b"IEND", b""))


for colour, channels, depths in [(0, 1, [1, 2, 4, 8, 16]), (2, 3, [8, 16]), (3, 1, [1, 2, 4, 8]), (4, 2, [8, 16]), (6, 4, [8, 16])]:
    for depth in depths:
        samples = random.integers(0, 1 << depth, (13, 19, channels))
        palette = b"" if colour != 3 else chunk(b"PLTE", random.bytes(3 << depth))
        # Pillow clips 16 bits of grey to white; here they are rounded.
        grey = np.repeat((samples + 128) // 257, 3, -1).astype("u1") if (colour, depth) == (0, 16) else None
        for interlaced in [False, True]:
            for kind in range(5):
                name = f"colour{colour}-depth{depth}-{'adam7' if interlaced else 'plain'}-filter{kind}.png"
                case(name, png(samples, depth, colour, interlaced, kind, palette), grey)
case("no-end.png", png(random.integers(0, 256, (13, 19, 3)), 8, 2)[:-12])


# Where the orientation stands.
def exif(orientation, kind=3, end="<"):
    value = struct.pack(end + ("H2x" if kind == 3 else "I"), orientation)
    return (b"II*\0" if end == "<" else b"MM\0*") + struct.pack(end + "IHHHI", 8, 1, 0x112, kind, 1) + value + bytes(4)


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PREFIX = b"Exif\0\0"
plain = texture(23, 17)
source = Image.fromarray(plain)
whole = saved(source, format="JPEG", quality=90)


def segments(*payloads):
    return whole[:2] + b"".join(marker(0xE1, payload) for payload in payloads) + whole[2:]


for orientation in range(10):
    case(f"exif{orientation}.jpg", segments(PREFIX + exif(orientation)))
    case(f"exif{orientation}.png", png(plain, 8, 2, extra=chunk(b"eXIf", exif(orientation))))
case("exif-long.jpg", segments(PREFIX + exif(6, kind=4)))
case("exif-big-endian.jpg", segments(PREFIX + exif(8, end=">")))
case("exif-long-big-endian.jpg", segments(PREFIX + exif(8, kind=4, end=">")))
case("exif-twice.jpg", segments(PREFIX + exif(6), PREFIX + exif(1)))
case("exif-twice-upright-first.jpg", segments(PREFIX + exif(1), PREFIX + exif(6)))
case("xmp.jpg", segments(b"http://ns.adobe.com/xap/1.0/\0" + XMP))
case("exif-before-xmp.jpg", segments(PREFIX + exif(3), b"http://ns.adobe.com/xap/1.0/\0" + XMP))
profile = PREFIX + exif(6)
text = f"\nexif\n{len(profile):8}\n{profile.hex()}\n".encode()
xmp_text = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
case("profile.png", png(plain, 8, 2, extra=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))))
case("profile-plain.png", png(plain, 8, 2, extra=chunk(b"tEXt", b"Raw profile type exif\0" + text)))
case("xmp.png", png(plain, 8, 2, extra=chunk(b"iTXt", xmp_text)))
case("exif-with-prefix.png", png(plain, 8, 2, extra=chunk(b"eXIf", profile)))
case("exif-after-data.png", png(plain, 8, 2, after=chunk(b"eXIf", exif(5))))
case("exif.webp", saved(source, format="WEBP", lossless=True, exif=profile))
case("exif-no-prefix.webp", saved(source, format="WEBP", lossless=True, exif=exif(7)))
case("xmp.webp", saved(source, format="WEBP", lossless=True, xmp=XMP))
case("lossy.webp", saved(source, format="WEBP", quality=70))
case("orientation.tif", saved(source, format="TIFF", tiffinfo={274: 6}))

# GIF: the first frame, of animated ones too.
few = source.quantize(64)
case("plain.gif", saved(few, format="GIF"))
case("transparent.gif", saved(few, format="GIF", transparency=5))
case("interlaced.gif", saved(few, format="GIF", interlace=1))
others = [Image.fromarray(texture(23, 17)).quantize(64) for _ in range(2)]
case("animated.gif", saved(few, format="GIF", save_all=True, append_images=others, duration=50, disposal=2))

# TIFF and BMP.
for mode in ["1", "L", "P", "RGB", "RGBA"]:
    case(f"{mode}.bmp", saved(few if mode == "P" else source.convert(mode), format="BMP"))
for mode in ["1", "L", "LA", "RGB", "RGBA", "CMYK"]:
    for compression in [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"]:
        case(f"{mode}-{compression}.tif", saved(source.convert(mode), format="TIFF", compression=compression))
case("palette.tif", saved(source.quantize(200), format="TIFF"))
case("fax.tif", saved(source.convert("1"), format="TIFF", compression="group4"))


def bmp(values, masks=None):
    rows = b"".join(row.astype("<u2").tobytes() + bytes(-len(row) * 2 % 4) for row in values[::-1])
    extra = struct.pack("<III", *masks) if masks else b""
    head = struct.pack("<IiiHHIIiiII", 40, values.shape[1], values.shape[0], 1, 16, 3 if masks else 0, len(rows), 2835, 2835, 0, 0)
    start = 14 + len(head) + len(extra)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + extra + rows


case("555.bmp", bmp(random.integers(0, 1 << 15, (17, 23))))
case("565.bmp", bmp(random.integers(0, 1 << 16, (17, 23)), (0xF800, 0x7E0, 0x1F)))
print(json.dumps(cases))
