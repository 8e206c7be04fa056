"""What the page of an exported classifier answers in Chromium: BROWSER FOLDER PICTURE... [--screenshots DIR]

The folder is served on the loopback interface by Python's own web server. Prints JSON: the answers by picture, and for each width
and colour scheme what went wrong.
"""

import functools
import http.server
import json
import pathlib
import sys
import threading

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
VIEWS = [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")]
ANSWERS = """() => Object.fromEntries([...document.querySelectorAll('article')].map(card => [card.dataset.name, card.answer
    ? {...card.answer, features: undefined, text: card.innerText, near: card.querySelectorAll('figure img').length}
    : {text: card.innerText}]))"""
SETTLED = "article[data-state]"
PLAYING = """() => new Promise(done => {
    const video = document.getElementById('video');
    if (video.videoWidth) done(); else video.onloadeddata = () => done();
})"""
PLACES = "[...document.querySelectorAll('button, input, summary, a[href]')].filter(part => part.checkVisibility())"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def look(browser, address, pictures, width, scheme, screenshots):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False, permissions=["camera"]
    )
    page = context.new_page()
    trouble, foreign = [], []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    own = (address, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(address)
    page.set_input_files("#files", pictures)
    # The policy of the page forbids what `wait_for_function` does.
    page.locator(SETTLED).nth(len(pictures) - 1).wait_for(timeout=120_000)
    answers = page.evaluate(ANSWERS)
    said = page.inner_text("#status")
    page.click("#camera")
    page.evaluate(PLAYING)
    page.click("#shoot")
    page.locator(SETTLED).nth(len(pictures)).wait_for(timeout=120_000)
    page.click("#camera")
    if screenshots:
        page.screenshot(path=f"{screenshots}/page-{width}-{scheme}.png", full_page=True)
    reached = set()
    places = page.evaluate(f"{PLACES}.length")
    page.evaluate("document.activeElement.blur()")
    for _ in range(places + 3):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"{PLACES}.indexOf(document.activeElement)"))
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    camera = [name for name in page.evaluate(ANSWERS) if name.startswith("camera")]
    # The policy of the page forbids the script of axe, so it comes last, in a world of its own.
    session = context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
    session.send("Runtime.evaluate", {"expression": AXE, "contextId": world})
    found = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run(document, {resultTypes: ['violations']}).then(all => JSON.stringify(all.violations.map("
            "one => [one.id, one.impact, one.nodes.slice(0, 2).map(node => node.html.slice(0, 160))])))",
            "contextId": world,
            "awaitPromise": True,
            "returnByValue": True,
        },
    )["result"]["value"]
    context.close()
    return answers, {
        "width": width,
        "scheme": scheme,
        "trouble": trouble,
        "foreign": foreign,
        "axe": [one for one in json.loads(found) if one[1] in ("serious", "critical")],
        "too_wide": wide,
        "unreached": places - len(reached - {-1}),
        "camera": len(camera),
        "said": said,
    }


def main():
    arguments = sys.argv[1:]
    screenshots = None
    if "--screenshots" in arguments:
        at = arguments.index("--screenshots")
        screenshots = arguments[at + 1]
        del arguments[at : at + 2]
    program, folder, *pictures = arguments
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        views = [look(browser, address, pictures, width, scheme, screenshots) for width, scheme in VIEWS]
        # From disk, without a server, the page says what to do.
        page = browser.new_page()
        page.goto((pathlib.Path(folder) / "index.html").resolve().as_uri())
        hint = page.inner_text("#trouble")
        browser.close()
    server.shutdown()
    print(json.dumps({"answers": views[0][0], "views": [view for _, view in views], "hint": hint}))


main()
