"""The texts of a language model's tokens, from a tokenizer that lies beside its weights.

Two files are understood: `vocab.txt`, a token a line, and the `tokenizer.json` of Hugging Face tokenizers. They are
data: nothing in them is run, and one that is odd or very large gives no texts. Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

__all__ = ["vocabulary"]

MAX_BYTES = 64 << 20
"""Of a tokenizer that is read: those of the largest vocabularies have about 20 MB."""

MAX_TOKENS = 1 << 22


@lru_cache(maxsize=4)
def vocabulary(path: str) -> tuple[str, ...]:
    """Texts by token number, `()` where there is no tokenizer beside the model at `path` or none that is understood."""
    folder = path if os.path.isdir(path) else os.path.dirname(os.path.abspath(path))
    for name, parse in (("tokenizer.json", _from_json), ("vocab.txt", _from_lines)):
        try:
            with open(os.path.join(folder, name), "rb") as file:
                raw = file.read(MAX_BYTES + 1)
            found = parse(raw.decode("utf-8", "replace")) if len(raw) <= MAX_BYTES else ()
        except (OSError, ValueError, RecursionError):
            continue
        if found:
            return found
    return ()


def _from_lines(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines()[:MAX_TOKENS])


def _from_json(text: str) -> tuple[str, ...]:
    """`model.vocab` as a mapping of texts to numbers or a list of (text, score); `added_tokens` besides."""
    document = json.loads(text)
    numbered = dict(_numbered(document)) if isinstance(document, Mapping) else {}
    size = max(numbered, default=-1) + 1
    return tuple(numbered.get(i, "") for i in range(size)) if size <= MAX_TOKENS else ()


def _numbered(document: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    model, added = document.get("model"), document.get("added_tokens")
    vocab = model.get("vocab") if isinstance(model, Mapping) else None
    if isinstance(vocab, Mapping):
        yield from ((i, str(token)) for token, i in vocab.items() if isinstance(i, int) and i >= 0)
    elif isinstance(vocab, Sequence) and not isinstance(vocab, str):
        yield from ((i, str(pair[0])) for i, pair in enumerate(vocab) if isinstance(pair, list) and pair)
    for token in added if isinstance(added, list) else ():
        if isinstance(token, Mapping) and isinstance(token.get("id"), int) and token["id"] >= 0:
            yield token["id"], str(token.get("content", ""))
