"""What a real browser makes of pages: Chromium, driven by Playwright, with axe-core's rules on accessibility.

Arguments: the browser's program, then HTML files. Prints a list with an object for each file. Every page is opened from
disk at 360 and 1440 pixels, in light and dark, and as it is printed.
"""

import json
import pathlib
import sys

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WIDTHS, SCHEMES = (360, 1440), ("light", "dark")
MARKS = """() => ({
    plots: Object.fromEntries([...document.querySelectorAll('[data-plot]')].map(plot => {
        const svg = plot.querySelector('svg'), box = svg.getBoundingClientRect();
        const grid = [...svg.querySelectorAll('path.grid')].map(line => line.getBoundingClientRect().y);
        const bars = [...svg.querySelectorAll('rect, path, circle')];
        return [plot.dataset.plot, {
            numbers: JSON.parse(plot.querySelector('script[type="application/json"]').textContent),
            drawn: box.width > 100 && box.height > 50 && bars.filter(mark => mark.getBBox().width > 0).length > 3,
            // Height of the area between the grid lines, in pixels, and the curves in it.
            area: grid.length ? Math.max(...grid) - Math.min(...grid) : 0,
            coloured: svg.querySelectorAll('path.line:not(.context)').length,
            grey: svg.querySelectorAll('path.line.context').length,
            named: svg.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent.length > 5),
        }];
    })),
    folded: document.querySelectorAll('figure > details').length,
    maps: document.querySelectorAll('figure.map').length,
    legend: document.querySelectorAll('table.legend tbody tr').length,
    matrices: document.querySelectorAll('.matrix').length,
    tables: [...document.querySelectorAll('[data-table]')].map(table => table.dataset.table),
    headings: [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(heading => Number(heading.tagName[1])),
    pictures: [...document.images].filter(image => image.complete && image.naturalWidth > 1 && image.alt).length,
    images: document.images.length,
    missing: document.querySelectorAll('.missing').length,
    ids: [...document.querySelectorAll('[id]')].map(element => element.id),
    text: document.body.innerText,
    title: document.title,
})"""


# Texts of plots that reach beyond their plot, where they would be cut or lie on something else.
OUTSIDE = """() => [...document.querySelectorAll('svg.plot text')].filter(text => {
    const own = text.getBoundingClientRect(), plot = text.closest('svg').getBoundingClientRect();
    return own.width > 0 && (own.left < plot.left - 1.5 || own.right > plot.right + 1.5
        || own.top < plot.top - 1.5 || own.bottom > plot.bottom + 1.5);
}).map(text => text.closest('figure, table')?.dataset.plot + ': ' + text.textContent)"""
# Names of rows and columns that do not stay where they are while their region is scrolled.
UNSTUCK = """() => {
    document.querySelectorAll('.enlarge input').forEach(box => box.checked = true);
    const lost = [];
    for (const region of document.querySelectorAll('.scroll')) {
        const names = region.querySelector('.matrix .rows') ?? (innerWidth < 480 ? region.querySelector('tbody th[scope=row]:first-child') : null);
        const heads = region.querySelector('.matrix .columns');
        region.scrollTo(150, 150);
        const frame = region.getBoundingClientRect();
        if (region.scrollLeft > 0 && names && Math.abs(names.getBoundingClientRect().left - frame.left) > 1.5) lost.push('rows: ' + region.ariaLabel);
        if (region.scrollTop > 0 && heads && Math.abs(heads.getBoundingClientRect().top - frame.top) > 1.5) lost.push('columns: ' + region.ariaLabel);
        if (heads && innerWidth < 480 && region.scrollLeft === 0) lost.push('does not scroll: ' + region.ariaLabel);
        region.scrollTo(0, 0);
    }
    document.querySelectorAll('.enlarge input').forEach(box => box.checked = false);
    return lost;
}"""


# Tables that a region cuts at the bottom, and rows of numbers so high that few fit on a screen.
CUT_ROWS = """() => [...document.querySelectorAll('.scroll table')].filter(table => {
    const region = table.closest('.scroll');
    const highest = Math.max(0, ...[...table.querySelectorAll('tbody tr')].filter(row => row.querySelector('td.number')).map(row => row.offsetHeight));
    return region.scrollHeight > region.clientHeight + 1 || highest > 72;
}).map(table => table.dataset.table + ': ' + table.closest('.scroll').scrollHeight + ' ' + table.closest('.scroll').clientHeight)"""
# What is wrong with a map of features: its choice of colours, and where the picture of a point with the focus is shown.
MAP = """() => [...document.querySelectorAll('figure.map')].flatMap(map => {
    const faults = [], box = element => element.getBoundingClientRect();
    const touch = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const point = map.querySelector('.point[tabindex]');
    if (!point && map.querySelector('.place')) faults.push('no point can have the focus');
    if (point) {
        point.focus();
        const picture = box(point.querySelector('.peek'));
        if (picture.width < 100 || picture.height < 100) faults.push('small picture: ' + picture.width);
        if (picture.left < 0 || picture.right > document.documentElement.clientWidth) faults.push('picture beyond the page');
        for (const other of [map.querySelector('figcaption'), map.querySelector('.area'), map.closest('section').nextElementSibling])
            if (other && touch(picture, box(other))) faults.push('picture on ' + (other.className.baseVal ?? other.tagName));
        point.blur();
    }
    for (const choice of map.querySelectorAll('input')) {
        choice.checked = true;
        const keys = [...map.querySelectorAll('.keys')].filter(list => getComputedStyle(list).display !== 'none');
        if (keys.length !== 1 || !keys[0].classList.contains('by-' + choice.value)) faults.push('key of ' + choice.value);
        const colours = new Set([...map.querySelectorAll('.mark')].map(mark => getComputedStyle(mark).fill));
        if (colours.size < 2) faults.push('one colour by ' + choice.value);
    }
    map.querySelector('input').checked = true;
    return faults;
})"""
# High sections whose right third is empty on a wide screen.
EMPTY = """() => innerWidth < 1000 ? [] : [...document.querySelectorAll('main section')].filter(section => {
    const box = section.getBoundingClientRect();
    const parts = [...section.querySelectorAll('svg, table, img, .frame, pre, summary, figcaption')].map(part => part.getBoundingClientRect().right);
    return box.height > 500 && Math.max(0, ...parts) < box.left + 0.667 * box.width;
}).map(section => section.id)"""


def look(browser, path, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    trouble, requests = [], []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append("a dialog: " + dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    empty = page.evaluate(EMPTY)
    # Folded parts are judged too.
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    # Chromium takes data: pictures for requests; nothing else may be asked for but the page.
    asked = [url for url in requests if not url.startswith("data:") and url != path.as_uri()]
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    bad = [
        {"rule": one["id"], "impact": one["impact"], "where": [node["html"][:200] for node in one["nodes"][:3]]}
        for one in found
    ]
    room = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, screen = page.evaluate(room)
    # What the keyboard reaches, Tab by Tab.
    reached = set()
    focusable = page.evaluate("document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length")
    for _ in range(focusable + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')].indexOf(document.activeElement)"
        ))
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    marks = page.evaluate(MARKS)
    outside, unstuck, cut_rows = page.evaluate(OUTSIDE), page.evaluate(UNSTUCK), page.evaluate(CUT_ROWS)
    map_faults = page.evaluate(MAP)
    page.emulate_media(media="print")
    # The inner width of a sheet of A4.
    page.set_viewport_size({"width": 680, "height": 900})
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    cut = page.evaluate("""[...document.querySelectorAll('table, svg, img')]
        .filter(part => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map(part => part.outerHTML.slice(0, 80))""")
    context.close()
    return marks, {
        "width": width,
        "scheme": scheme,
        "trouble": trouble,
        "requests": asked,
        "axe": bad,
        "outside": outside,
        "unstuck": unstuck,
        "cut_rows": cut_rows,
        "map": map_faults,
        "empty": empty,
        "too_wide": wide - screen,
        "unreached": focusable - len(reached - {-1}),
        "colours": colours,
        "paper": paper,
        "cut": cut,
    }


def main():
    program, *files = sys.argv[1:]
    pages = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for path in map(pathlib.Path, files):
            views = [look(browser, path, width, scheme) for width in WIDTHS for scheme in SCHEMES]
            pages.append({**views[0][0], "views": [view for _, view in views]})
        browser.close()
    print(json.dumps(pages))


main()
