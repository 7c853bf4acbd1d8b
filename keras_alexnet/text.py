"""Text for messages: counts, durations, lists, errors, and characters that could control a terminal."""

import re
from collections.abc import Sequence

# Control characters except tabs and line ends, and characters that change the text direction.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LISTED_NAMES = 3  # names in a message
REASON_LENGTH = 300  # characters of an error in a message


def printable(text: str) -> str:
    r"""Escape the characters of a text that could control a terminal. File names may contain them.

    Example:
        >>> print(printable("rose\x1b[2J.jpg: damaged"))
        rose\x1b[2J.jpg: damaged
    """
    return CONTROL_CHARACTERS.sub(lambda found: repr(found[0])[1:-1], text)


def is_plain(text: str) -> bool:
    r"""Return whether a text is one line without characters that could control a terminal.

    Example:
        >>> [is_plain(text) for text in ("red rose", "red\u200drose", "rose\x1b[2J", "two\nlines", "a\tb")]
        [True, True, False, False, False]
    """
    is_one_line = len(f"{text}.".splitlines()) == 1
    return is_one_line and "\t" not in text and not CONTROL_CHARACTERS.search(text) and is_unicode(text)


def is_unicode(text: str) -> bool:
    r"""Return whether a name can be written in UTF-8, which names of files need not be.

    Example:
        >>> is_unicode("rose"), is_unicode("r\udcf6se")
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    Example:
        >>> plural(1, "picture"), plural(3000, "picture")
        ('1 picture', '3,000 pictures')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float, digits: int = 1) -> str:
    """Format a fraction as percent.

    Example:
        >>> percent(0.4067), percent(0.4067, digits=0)
        ('40.7 %', '41 %')
    """
    return f"{100 * share:.{digits}f} %"


def duration(seconds: float) -> str:
    """Return a rough duration in words.

    Example:
        >>> duration(40), duration(600), duration(10_000)
        ('40 s', '10 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def enumerated(names: Sequence[object], most: int = LISTED_NAMES) -> str:
    """Return the first names in a line.

    Example:
        >>> enumerated(["a", "b", "c", "d"])
        'a, b, c, ...'
    """
    return ", ".join(map(str, names[:most])) + ", ..." * (len(names) > most)


def reason(error: BaseException) -> str:
    """Return the first line of an error, or its type if it has no text, to be part of a message.

    Example:
        >>> reason(ValueError("bad magic number\\nin file")), reason(EOFError())
        ('bad magic number', 'EOFError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0][:REASON_LENGTH]
