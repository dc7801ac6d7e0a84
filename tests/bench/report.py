"""How the bench prints a measurement: what, how much, and how it stands to the number that must be reached."""

from __future__ import annotations

__all__ = ["heading", "line"]


def heading(text: str) -> None:
    """A line over a group of measurements."""
    print(f"\n{text}")


def line(what: str, measured: str, target: str = "", reached: bool | None = None) -> None:
    """One measurement; `reached` None where there is nothing to reach."""
    verdict = "" if reached is None else "  ok" if reached else "  NOT REACHED"
    print(f"  {what:<66} {measured:>18}  {target:<22}{verdict}", flush=True)
