"""The command line: one module a command over `wtui.api`; `output` owns stdout, `status` stderr and exit codes."""

from __future__ import annotations

__all__ = ["COMMANDS"]

COMMANDS: dict[str, str] = {
    "ls": "layers and tensors: shapes, dtypes, parameters, bytes; reads no weights",
    "stats": "every statistic of every tensor and of the whole model",
    "plot": "a histogram of values, or a statistic along the depth of the model",
    "summary": "the architecture as Keras shows it: output shapes, connections, activations",
    "activations": "what every layer gives for an input: distributions, dead units, signal by depth",
    "spectrum": "singular values of kernels: norms, ranks, condition, power law",
    "check": "what is wrong with a model, or remarkable, the worst first",
    "diff": "what differs between two models or more, tensor by tensor; whether weights load",
    "watch": "follow a folder while a training writes checkpoints into it",
    "cache": "statistics that are kept between runs: where, how large; clears them",
    "demo": "open the models that come with wtui",
    "help": "this text, or that of a command",
}
"""Words that are commands when they come first, each a module of this package; `./ls` is a file."""
