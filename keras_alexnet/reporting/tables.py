"""Tables of results: plain text for the terminal, and Markdown."""

import pathlib
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tabulate

from keras_alexnet.evaluation.top_k import has_top5
from keras_alexnet.files import last_part
from keras_alexnet.text import percent

WIDTH = 100  # of the terminal, in characters
NO_BREAK = "\u00a0"  # no-break space


def plain(rows: Iterable[Mapping[str, Any]]) -> str:
    """Format rows as a table of plain text; the keys of the first row are the header.

    Example:
        >>> print(plain([{"class": "daisy", "error": "5.0 %"}]))
        class    error
        -------  -------
        daisy    5.0 %
    """
    return tabulate.tabulate(list(rows), headers="keys", disable_numparse=True)


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Format rows as a table in Markdown; the keys of the first row are the header."""
    return tabulate.tabulate(list(rows), headers="keys", tablefmt="github", disable_numparse=True)


def between(interval: tuple[float, float]) -> str:
    """Format an interval of fractions in percent.

    Example:
        >>> between((0.082, 0.185))
        '8.2 to 18.5'
    """
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def spread(errors: Sequence[float]) -> str:
    """Format the mean of fractions in percent, and the lowest and the highest if there are several.

    Example:
        >>> spread([0.1, 0.2]), spread([0.1]), spread([])
        ('15.0 (10.0 to 20.0)', '10.0', '')
    """
    if not errors:
        return ""
    text = f"{100 * statistics.fmean(errors):.1f}"
    return text if len(errors) == 1 else f"{text} ({100 * min(errors):.1f} to {100 * max(errors):.1f})"


def evaluations(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table with one row for each result and number of crops.

    The top-5 error is left out if there are five classes or fewer.

    Args:
        results: Results of `Evaluation.numbers`; a result of several runs is an ensemble.
    """
    show_top5 = any(has_top5(len(result["classes"])) for result in results)
    return plain(
        {
            "network": result["runs"][0] if len(result["runs"]) == 1 else f"ensemble of {len(result['runs'])}",
            "crops": crops,
            "top-1 error": f"{percent(numbers['top1_error'])} ({between(numbers['top1_interval'])})",
        }
        | (
            {"top-5 error": f"{percent(numbers['top5_error'])} ({between(numbers['top5_interval'])})"}
            if show_top5
            else {}
        )
        | {
            "mean per-class error": percent(numbers["mean_class_error"]),
            "cross-entropy": f"{numbers['negative_log_likelihood']:.3f}",
        }
        for result in results
        for crops, numbers in (
            ("one", result.get("1_view")),
            (result.get("averaged_views", "ten"), result.get("10_views")),
        )
        if numbers
    )


def hardest_classes(result: Mapping[str, Any]) -> str:
    """Return the five classes with the highest errors in one line; of equal errors, those with most pictures first.

    The line is empty if there are no errors.
    """
    with_errors = [row for row in result["classes"] if row["pictures"] and row["top1_error"]]
    worst = sorted(with_errors, key=lambda row: (-row["top1_error"], -row["pictures"]))[:5]
    return ", ".join(f"{row['class']} ({percent(row['top1_error'], 0)} of {row['pictures']} wrong)" for row in worst)


def predictions(pictures: Iterable[tuple[Any, Sequence[Mapping[str, Any]]]]) -> str:
    """Return a table with one row for each picture and class.

    Args:
        pictures: Pairs of a name and the result of `Prediction.best`. If the correct class is known, the last column
            says whether the prediction is right.
    """
    rows = [
        {
            "picture": name if rank == 0 else "",
            "class": row["class"],
            "probability": percent(row["probability"]),
            "": {True: "right", False: "wrong" if len(best) == 1 else "", None: ""}[row.get("right")],
        }
        for name, best in pictures
        for rank, row in enumerate(best)
    ]
    if not any(row[""] for row in rows):  # no correct class is known
        rows = [{key: text for key, text in row.items() if key} for row in rows]
    return plain(rows)


def runs(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table with one row for each run, at most `WIDTH` characters wide.

    Args:
        rows: Results of `Run.summary`. Errors are top-1 and top-5 in percent, for the largest number of crops
            evaluated.
    """
    return plain(
        {
            "date": row["date"] or "",
            "run": _short(row["run"], 28),
            "data": _short(last_part(row["dataset"]), 18),
            "epochs": row["epochs"],
            "validation": _errors(row["results"].get("validation")),
            "test": _errors(row["results"].get("test")),
        }
        for row in rows
    )


def _short(name: str, length: int) -> str:
    """Shorten a name in the middle. Its end usually has the number of the run."""
    if len(name) <= length:
        return name
    end = length // 3
    return f"{name[: length - end - 1]}…{name[-end:]}"


def _errors(numbers: Mapping[str, Any] | None) -> str:
    """Return the errors for the largest number of crops evaluated."""
    best = (numbers or {}).get("10_views") or (numbers or {}).get("1_view")
    if not best:
        return ""
    classes = len(numbers.get("classes", ()))  # unknown in a results.json
    keys = ["top1_error", "top5_error"] if has_top5(classes) or not classes else ["top1_error"]
    return ", ".join(f"{100 * best[key]:.1f}" for key in keys)


def settings(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the settings that differ between runs, also the weights, in lines of at most `WIDTH` characters.

    Args:
        rows: Results of `Run.summary`.
    """
    recipes = [{"weights": start_name(row["weights"])} | row["recipe"] for row in rows]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    differing = [name for name in names if len({str(recipe.get(name)) for recipe in recipes}) > 1]
    if not differing:
        return "All runs have the same settings."
    lines = []
    for row, recipe in zip(rows, recipes, strict=True):
        values = [f"{name} {value_text(recipe.get(name))}" for name in differing]
        unbroken = ", ".join(value.replace(" ", NO_BREAK) for value in values)
        lines += [row["run"], textwrap.fill(unbroken, WIDTH, initial_indent="  ", subsequent_indent="  ")]
    return "\n".join(lines).replace(NO_BREAK, " ")


def start_name(weights: str | None) -> str:
    """Return the name of the run that `--weights` is a file or the folder of, or the name of other weights.

    Example:
        >>> start_name("runs/petals-1/best.keras"), start_name("runs/petals-1"), start_name("drawn"), start_name(None)
        ('petals-1', 'petals-1', 'drawn', 'none')
    """
    if weights is None:
        return "none"
    path = pathlib.PurePath(weights)
    return (path.parent.name if path.suffix else path.name) or weights


def value_text(value: Any) -> str:
    """Format a setting's value for reading.

    Example:
        >>> value_text(("crop", "mirror")), value_text(None), value_text(0.01), value_text(True)
        ('crop + mirror', 'default', '0.01', 'yes')
    """
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value)) or "none"
    return str(value)
