"""Writes the screenshots of the README, from real runs of the browser: `python screenshots/make.py`.

Needs TensorFlow for VGG16, as Keras initialises it, saved into a temporary folder; everything else is the demo.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.bench import models  # noqa: E402
from tests.tui.driving import Browser, browsing  # noqa: E402
from tests.tui.driving_run import running  # noqa: E402
from wtui.demo import folder  # noqa: E402

DEMO = Path(folder())

Steps = Callable[[Browser], Awaitable[None]]


async def tensor(b: Browser) -> None:
    """The kernel of VGG16's last convolution."""
    b.select("block5_conv3/kernel")
    await b.until("Inf 0")
    await b.until("13 of 13 read")
    await b.until("outside")


async def small(b: Browser) -> None:
    """The same kernel where there is room for one pane beside the tree."""
    b.select("block5_conv3/kernel")
    await b.until("skewness")


async def values(b: Browser) -> None:
    """The values of a kernel."""
    b.select("conv2/kernel")
    await b.press("v")
    await b.until("[0, 0,")


async def filters(b: Browser) -> None:
    """The filters of a convolution."""
    b.select("conv2/kernel")
    await b.press("p")
    await b.until("values in")
    await b.press("tab")
    await b.until("input channel 0")


async def broken(b: Browser) -> None:
    """The root of a model whose training ended in NaN."""
    await b.until("NaN in")
    await b.until("Distribution")


SHOTS = (
    ("vgg16-120x40", lambda: models.vgg16(), 120, 40, tensor),
    ("vgg16-80x24", lambda: models.vgg16(), 80, 24, small),
    ("broken-120x40", lambda: DEMO / "digits-run" / "epoch-5.keras", 120, 40, broken),
    ("filters-120x40", lambda: DEMO / "healthy.keras", 120, 40, filters),
    ("values-120x40", lambda: DEMO / "healthy.keras", 120, 40, values),
)


async def shoot(name: str, path: Path, width: int, height: int, steps: Steps) -> None:
    """One run, one file."""
    async with browsing(path, width, height) as b:
        await b.scanned()
        await steps(b)
        await b.pilot.pause(0.5)
        svg = b.app.export_screenshot(title=f"wtui {path.name}").replace("<text ", '<text xml:space="preserve" ')
        (HERE / f"{name}.svg").write_text(svg)
        print(f"{name}.svg  {len(svg):,} bytes")


async def shoot_run() -> None:
    """The run of the demo, on a tensor whose distribution widens."""
    async with running(DEMO / "digits-run") as b:
        await b.read()
        await b.press("left")
        await b.until("1 without a finite number")
        await b.pilot.pause(0.5)
        svg = b.app.export_screenshot(title="wtui digits-run").replace("<text ", '<text xml:space="preserve" ')
        (HERE / "run-120x40.svg").write_text(svg)
        print(f"run-120x40.svg  {len(svg):,} bytes")


def main() -> None:
    """Write all of them, or those whose names are given."""
    os.environ["COLORTERM"] = "truecolor"
    os.environ.pop("NO_COLOR", None)
    for name, path, width, height, steps in SHOTS:
        if len(sys.argv) < 2 or any(word in name for word in sys.argv[1:]):
            asyncio.run(shoot(name, path(), width, height, steps))
    if len(sys.argv) < 2 or any(word in "run-120x40" for word in sys.argv[1:]):
        asyncio.run(shoot_run())


if __name__ == "__main__":
    main()
