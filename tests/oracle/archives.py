"""Packs a folder of class folders: python archives.py IN OUT

Writes OUT/a.zip (deflated), OUT/a.tar, and OUT/shards, WebDataset of 20 images a shard, whose last image has no class."""

import io
import pathlib
import sys
import tarfile
import zipfile

images, out = map(pathlib.Path, sys.argv[1:])
files = sorted(images.rglob("*.png"))
with zipfile.ZipFile(out / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in files:
        archive.write(file, file.relative_to(images))
with tarfile.open(out / "a.tar", "w") as archive:
    archive.add(images, ".")
(out / "shards").mkdir()
for number, file in enumerate(files):
    with tarfile.open(out / "shards" / f"{number // 20:03}.tar", "a") as shard:
        parts = [("png", file.read_bytes())]
        if number + 1 < len(files):
            parts.append(("cls", file.parent.name.encode()))
        for extension, data in parts:
            member = tarfile.TarInfo(f"{number:05}.{extension}")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))
