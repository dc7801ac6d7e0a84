"""Writes the screenshots of the README, from real runs of the browser: `python screenshots/make.py`.

Needs TensorFlow for VGG16, as Keras initialises it, saved into a temporary folder; everything else is the demo.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.bench import models  # noqa: E402
from tests.tui.driving import Browser, PairBrowser, browsing, comparing  # noqa: E402
from tests.tui.driving_run import RunBrowser, running  # noqa: E402
from wtui.demo import folder  # noqa: E402

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

DEMO = Path(folder())

Steps = Callable[[Any], Awaitable[None]]


async def tensor(b: Browser) -> None:
    """The kernel of VGG16's last convolution."""
    b.select("block5_conv3/kernel")
    await b.until("Inf 0")
    await b.until("13 of 13 read")
    await b.until("outside")


async def small(b: Browser) -> None:
    """The same kernel where there is room for one pane beside the tree."""
    b.select("block5_conv3/kernel")
    await b.until("indistinguishable")


async def filters(b: Browser) -> None:
    """The filters of a convolution."""
    b.select("conv2/kernel")
    await b.press("p")
    await b.until("rows height")
    await b.press("tab")
    await b.until("input channel 0")


async def faulty(b: Browser) -> None:
    """The root of a model with three planted faults: they are found, and marked in the tree."""
    await b.until("no weight at all")
    await b.until("outside")


async def compared(b: PairBrowser) -> None:
    """Before and after training: the kernel that moved most."""
    b.select("conv1/kernel")
    await b.until("output channels that moved most")
    await b.until("both")


async def run(b: RunBrowser) -> None:
    """A run, on a tensor whose distribution widens."""
    await b.press("left")
    await b.until("1 without a finite number")


async def outputs(b: Browser) -> None:
    """What the layers of a model give."""
    await b.press("down", "a")
    await b.until("6 outputs")
    await b.until("feature maps")


EPOCHS = DEMO / "digits-run"

SHOTS: tuple[tuple[str, str, Callable[[], AbstractAsyncContextManager[Any]], Steps], ...] = (
    ("vgg16-120x40", "vgg16.keras", lambda: browsing(models.vgg16(), 120, 40), tensor),
    ("vgg16-80x24", "vgg16.keras", lambda: browsing(models.vgg16(), 80, 24), small),
    ("run-120x40", "digits-run/", lambda: running(EPOCHS), run),
    (
        "compare-120x40",
        "epoch-0.keras epoch-4.keras",
        lambda: comparing(EPOCHS / "epoch-0.keras", EPOCHS / "epoch-4.keras"),
        compared,
    ),
    ("faulty-120x40", "faulty.keras", lambda: browsing(DEMO / "faulty.keras"), faulty),
    ("filters-120x40", "healthy.keras", lambda: browsing(DEMO / "healthy.keras"), filters),
    ("outputs-120x40", "healthy.keras", lambda: browsing(DEMO / "healthy.keras"), outputs),
)
"""Name, what is browsed, how it is opened, what is done there."""


async def shoot(name: str, title: str, opened: AbstractAsyncContextManager[Any], steps: Steps) -> None:
    """One run, one file."""
    async with opened as b:
        await (b.read() if isinstance(b, RunBrowser) else b.scanned())
        await steps(b)
        await b.pilot.pause(0.5)
        svg = b.app.export_screenshot(title=f"wtui {title}").replace("<text ", '<text xml:space="preserve" ')
        (HERE / f"{name}.svg").write_text(svg)
        print(f"{name}.svg  {len(svg):,} bytes")


def main() -> None:
    """Write all of them, or those whose names are given."""
    os.environ["COLORTERM"] = "truecolor"
    os.environ["WTUI_CACHE"] = "0"
    os.environ.pop("NO_COLOR", None)
    for name, title, opened, steps in SHOTS:
        if len(sys.argv) < 2 or any(word in name for word in sys.argv[1:]):
            asyncio.run(shoot(name, title, opened(), steps))


if __name__ == "__main__":
    main()
