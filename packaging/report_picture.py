"""Makes `docs/report.png`, the picture in README, from the page of the demo: its first sections, and its worst mistakes.

    headstart demo --dir demo && headstart report demo/run
    target/test-python/bin/python packaging/report_picture.py demo/run/report.html docs/report.png
"""

import io
import os
import pathlib
import shutil
import sys

from PIL import Image
from playwright.sync_api import sync_playwright

# All but the summary, the confusion and the first mistakes is left out, and what is left stands in two columns.
STYLE = """
section:not(#summary):not(#confusion):not(#pictures), nav, details, footer { display: none }
#pictures h3 ~ h3, #pictures h3 ~ h3 ~ *, #confusion .charts > :nth-child(2) { display: none }
main { display: grid; grid-template-columns: 1fr 1fr; column-gap: 2rem }
main > * { grid-column: 1 / -1 }
#confusion { grid-column: 1 } #confusion .charts { display: block }
#pictures { grid-column: 2 }
"""


def main(page_file: str, out: str) -> None:
    browser_path = os.environ.get("HEADSTART_TEST_BROWSER") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path)
        page = browser.new_page(viewport={"width": 1000, "height": 800}, color_scheme="light")
        page.goto(pathlib.Path(page_file).resolve().as_uri())
        page.add_style_tag(content=STYLE)
        picture = page.screenshot(full_page=True)
        browser.close()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(out, optimize=True)
    print(f"{out}: {image.width} x {image.height} pixels, {pathlib.Path(out).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
