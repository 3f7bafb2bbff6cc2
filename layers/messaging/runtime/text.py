"""What people write: texts and names that others are to see."""

import unicodedata

# Spaces and line ends, control and format characters such as the zero-width space, and marks
# without a letter to put them on (https://www.unicode.org/reports/tr44/#General_Category_Values).
_NOTHING_TO_SEE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn"})
# The Hangul fillers and the empty Braille pattern count as letters and a symbol, but show nothing.
_SHAPELESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def is_blank(value: object) -> bool:
    """Tell whether there is nothing in `value` that a reader could see."""
    return value is None or (
        isinstance(value, str)
        # As a set, so that a body of megabytes is no more work than a sentence.
        and all(unicodedata.category(c) in _NOTHING_TO_SEE or c in _SHAPELESS for c in set(value))
    )
