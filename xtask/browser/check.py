"""Every page of a folder in headless Chromium, light and dark, wide and narrow: axe-core finds nothing, no request leaves
the page, nothing is written to the console, the page is not wider than the window, and the keyboard reaches what scrolls.
Leaves a screenshot of each beside it.

    CHROMIUM=… check.py FOLDER
"""
import os
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

SCHEMES = ("light", "dark")
WINDOWS = {"wide": (1280, 900), "narrow": (390, 844)}
# What scrolls and cannot be focused cannot be read with a keyboard alone. axe knows this for most elements, not for all.
UNREACHABLE = """() => [...document.querySelectorAll('*')].filter(e =>
    e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
    && e !== document.documentElement && e.tabIndex < 0 && !e.querySelector('a[href], [tabindex="0"]')).map(e => e.className)"""


def looked_at(browser: Browser, file: Path, scheme: str, window: str) -> list[str]:
    width, height = WINDOWS[window]
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    page, problems = context.new_page(), []
    page.on("console", lambda message: problems.append(f"the console says: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"an error: {error}"))
    page.on("request", lambda request: request.url == file.as_uri() or problems.append(f"asks for {request.url}"))
    page.goto(file.as_uri())
    problems += laid_out(page, width)
    page.screenshot(path=file.with_name(f"{file.stem}-{scheme}-{window}.png"), full_page=True)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    problems += laid_out(page, width)
    # The policy of the page lets no script in; axe comes by the debugger's door.
    for violation in Axe().run(page).response["violations"]:
        nodes = "; ".join(" ".join(map(str, node["target"])) for node in violation["nodes"][:3])
        problems.append(f"axe: {violation['id']}: {violation['help']}: {nodes}")
    context.close()
    return problems


def laid_out(page: Page, width: int) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth")
    problems = [f"is {wide} pixels wide in a window of {width}"] if wide > width else []
    return problems + [f"{name!r} scrolls and cannot be focused" for name in page.evaluate(UNREACHABLE)]


def main() -> None:
    folder, chromium = Path(sys.argv[1]).resolve(), os.environ["CHROMIUM"]
    files = sorted(folder.glob("*.html"))
    if not files:
        sys.exit(f"there is no page in {folder}: the check `test` leaves them there")
    found = []
    with sync_playwright() as playwright:
        # Root may not have Chromium's sandbox; these pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for file in files:
            for scheme in SCHEMES:
                for window in WINDOWS:
                    problems = looked_at(browser, file, scheme, window)
                    found += [f"{file.name}, {scheme}, {window}: {problem}" for problem in problems]
        browser.close()
    if found:
        sys.exit("\n".join(found))
    print(f"{len(files)} pages, each light and dark, wide and narrow")


main()
