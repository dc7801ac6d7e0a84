"""Which command the arguments mean, and its help."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

from wtui import __version__
from wtui.cli import COMMANDS, output
from wtui.cli.browse import browse, browse_several, compare, demo, here
from wtui.cli.options import Parser
from wtui.cli.status import Exit
from wtui.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from wtui.cli.browse import Screen
    from wtui.live.passing import Settings

__all__ = ["run"]

USAGE = """Look into the weights of neural-network model files, in the terminal.

  wtui PATH             browse a model: layer tree, statistics, histograms
  wtui A B              browse two models as one tree: what differs, and by how much
  wtui RUN/             browse a folder of checkpoints: what happened when
  wtui                  choose one of the models in this folder
  wtui keras:VGG16      browse one of keras.applications, untrained (--weights imagenet)
  wtui COMMAND ...      print data, for pipes and scripts

commands:
{commands}

examples:
  wtui vgg16.keras
  wtui ls vgg16.keras
  wtui stats vgg16.keras --select '*/kernel' --csv > kernels.csv
  wtui plot vgg16.keras fc1/kernel
  wtui check vgg16.keras
  wtui diff before.keras after.keras
  wtui ./ls             a file that is called like a command

options:
  --format NAME         read the file as this format instead of guessing it
  --weights W           for keras:NAME: none, imagenet, or a weight file
  --input FILE          what layers are given when their outputs are asked for (a): .npy, .npz
  --batch N             how many samples of it (default 8)
  --device gpu          where Keras runs them (default cpu: it sees no GPU)
  --no-cache            neither use nor keep statistics of other runs
  --version             the version of wtui
  -h, --help            this text; `wtui COMMAND -h` is the help of a command

exit codes: 0 done, 1 findings or different, 2 bad usage or nothing could be read, 3 not everything could be read
"""


def run(arguments: Sequence[str], screen: Screen) -> int:
    """Do what the arguments say; the exit code. WtuiError for what cannot be done."""
    if not arguments:
        return here(screen)
    first, rest = arguments[0], arguments[1:]
    if first in ("-h", "--help", "help"):
        return _help(rest, screen)
    if first == "--version":
        output.write_text(f"wtui {__version__}\n")
        return Exit.DONE
    if first == "demo":
        Parser("wtui demo", "Open the models that come with wtui.").parse_args(rest)
        return demo(screen)
    if first == "watch":
        from wtui.cli.watch import run as watch

        return watch(rest, screen)
    if first in COMMANDS:
        return _command(first)(rest)
    return _browse(arguments, screen)


def _command(name: str) -> Callable[[Sequence[str]], int]:
    module = import_module(f"wtui.cli.{name}")
    return cast("Callable[[Sequence[str]], int]", module.run)


def _help(words: Sequence[str], screen: Screen) -> int:
    """The help of a command, or of all."""
    if words and words[0] in COMMANDS and words[0] != "help":
        return run([words[0], "-h"], screen)
    if words:
        raise UsageError(f"there is no command {words[0]!r}", hint=f"commands: {', '.join(COMMANDS)}")
    listed = "\n".join(f"  {name:<13}{what}" for name, what in COMMANDS.items())
    output.write_text(USAGE.format(commands=listed))
    return Exit.DONE


def _browse(arguments: Sequence[str], screen: Screen) -> int:
    parser = Parser("wtui", "Browse a model in the terminal.")
    parser.add_argument("paths", metavar="PATH", nargs="*")
    parser.add_argument("--format", metavar="NAME")
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("--weights", metavar="W")
    parser.add_argument("--input", metavar="FILE")
    parser.add_argument("--batch", metavar="N", type=int)
    parser.add_argument("--device", choices=("cpu", "gpu"))
    options = parser.parse_args(arguments)
    if options.no_cache:
        from wtui.cache import forbid

        forbid()
    if len(options.paths) == 2:
        return compare(options.paths[0], options.paths[1], options.format, screen)
    if len(options.paths) > 2:
        if options.format is not None or options.weights is not None:
            raise UsageError("--format and --weights are for one model")
        return browse_several(options.paths, screen)
    if not options.paths:
        return here(screen)
    from wtui.live.applications import with_weights

    return browse(with_weights(options.paths[0], options.weights), options.format, screen, _given(options))


def _given(options: Namespace) -> Settings | None:
    """What layers are given when their outputs are asked for; None where nothing is said of it."""
    if options.input is None and options.batch is None and options.device is None:
        return None
    from wtui.live.passing import BATCH, Settings

    if options.input is not None and not os.path.isfile(options.input):
        raise UsageError("no such file", options.input, "--input FILE.npy or FILE.npz")
    if options.batch is not None and options.batch < 1:
        raise UsageError(f"a batch of {options.batch}", hint="--batch 1 or more")
    return Settings(options.input, BATCH if options.batch is None else options.batch, device=options.device or "cpu")
