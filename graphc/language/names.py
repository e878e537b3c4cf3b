"""Names as the language spells them.

In: names as they are written.  Out: names as graphs have them: theta for θ, x1 for x₁.
Always holds: a name in ASCII stays; nothing else of the language is imported, so that a function out of the cache can ask.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TypeVar

from graphc.errors import DataError

V = TypeVar("V")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def plain_name(word: str) -> str:
    """θ1 as theta1, x₁ as x1; other letters stay."""
    if word.isascii():
        return word
    out = []
    for c in unicodedata.normalize("NFKC", word.translate(_SUBSCRIPTS)):
        name = unicodedata.name(c, "")
        if name.startswith("GREEK ") and " LETTER " in name:
            letter = name.split(" LETTER ")[1].split()[0].lower().replace("lamda", "lambda").replace("final", "sigma")
            out.append(letter.capitalize() if "CAPITAL" in name else letter)
        else:
            out.append(c)
    return "".join(out)


def by_plain_name(values: Mapping[str, V]) -> dict[str, V]:
    """Values by their names as the language spells them; DataError where two are one name, or a name is no text."""
    found: dict[str, V] = {}
    for written, value in values.items():
        if not isinstance(written, str):
            raise DataError(f"values are given by name, not by {written!r}", hint='{"x": X, "t": T}')
        name = plain_name(written)
        if name in found:
            raise DataError(f"{name} is given twice")
        found[name] = value
    return found
