"""Variables that optimizers keep: which they are by name, and what they are for.

Names are those that TensorFlow 1 and its descendants give slots (`tf.compat.v1.train`, Keras 2 and 3). Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["OPTIMIZER", "SUFFIXES", "owners_of_slots", "slot_role"]

OPTIMIZER = "optimizer"
"""The group of an optimizer's tensors, and the name of the node that holds them."""

SLOTS: Mapping[str, str] = {
    "Adam": "momentum", "Adam_1": "velocity", "adam_m": "momentum", "adam_v": "velocity", "AdamW": "momentum",
    "AdamW_1": "velocity", "AdaMax": "momentum", "AdaMax_1": "norm", "Momentum": "momentum", "momentum": "momentum",
    "RMSProp": "rms", "RMSProp_1": "momentum", "RMSProp_2": "average_gradient", "Adagrad": "accumulator",
    "Adadelta": "accumulated_grad", "Adadelta_1": "accumulated_delta_var", "Ftrl": "accumulator", "Ftrl_1": "linear",
    "LAMB": "momentum", "LAMB_1": "velocity", "lamb_m": "momentum", "lamb_v": "velocity", "vr": "row_velocity",
    "vc": "column_velocity", "ExponentialMovingAverage": "average", "m": "momentum", "v": "velocity",
    "vhat": "velocity_hat",
}  # fmt: skip
"""Last part of a slot's name -> role."""

SCALARS: Mapping[str, str] = {"beta1_power": "beta1_power", "beta2_power": "beta2_power", "iter": "iteration"}
"""Variables of an optimizer that belong to no weight, with what numbers them cut off."""

SUFFIXES = (
    "accumulated_delta_var", "accumulated_grad", "average_gradient", "gradient_accumulator", "velocity_hat", "velocity",
    "momentum", "accumulator", "average", "linear", "norm",
)  # fmt: skip
"""What Keras 3 appends to a weight's name for its slots, the longest of those that end alike first."""

_WHOLE = (
    *SUFFIXES,
    "learning_rate",
    "iteration",
    "u_product",
    "step_counter",
    "dynamic_scale",
    "beta_1",
    "beta_2",
    "decay",
)


def slot_role(name: str) -> str:
    """The role of an optimizer's variable (`adam/fc_kernel_momentum`, `Adam/m/fc/kernel`, `fc/w/Adam`)."""
    parts = name.split("/")
    last = parts[-1]
    if last in SLOTS:
        return SLOTS[last]
    if last in SCALARS:
        return SCALARS[last]
    for role in _WHOLE:
        if last == role or last.endswith(f"_{role}"):
            return role
    return next((SLOTS[part] for part in parts[:-1] if part in ("m", "v", "vhat", "momentum")), "slot")


def owners_of_slots(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Of all names of a name-based checkpoint those that are slots, each with the variable it belongs to (`""`: none).

    A slot is called as its variable and then as its optimizer (`fc/w/Adam_1`), sometimes within a scope of the
    optimizer's (`train/fc/w/Adam_1`); unknown optimizers are told by the variable having the same shape.
    """
    found: dict[str, str] = {}
    for name, shape in shapes.items():
        base, _, last = name.rpartition("/")
        if _plain(last) in SCALARS:
            found[name] = ""
        elif base in shapes and (last in SLOTS or (shape and shapes[base] == shape)):
            found[name] = base
        elif last in SLOTS and (owner := _without_scopes(base, shapes)):
            found[name] = owner
    return found


def _without_scopes(name: str, known: Iterable[str]) -> str:
    """What is left of a name that `known` holds once the scopes around it are taken away, `""` if nothing is."""
    while "/" in name:
        name = name.partition("/")[2]
        if name in known:
            return name
    return ""


def _plain(name: str) -> str:
    """`beta1_power` of `beta1_power_3`."""
    head, _, number = name.rpartition("_")
    return head if number.isdecimal() and head else name
