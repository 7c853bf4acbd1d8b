"""Results as tables of plain text."""

import tabulate


def percent(share):
    """A share as percents with one decimal.

    Example:
        >>> percent(0.4067)
        '40.7 %'
    """
    return f"{100 * share:.1f} %"


def between(interval):
    """An interval of shares, in percents.

    Example:
        >>> between((0.082, 0.185))
        '8.2 to 18.5'
    """
    low, high = interval
    return f"{100 * low:.1f} to {100 * high:.1f}"


def evaluations(results):
    """A row for each number of views of each result, as `evaluation.Evaluation.numbers` gives them.

    Args:
        results: Sequence of such mappings; one of several runs is an ensemble.

    Returns:
        The table.
    """
    rows = [
        {
            "network": ", ".join(result["runs"]) if len(result["runs"]) == 1 else f"{len(result['runs'])} together",
            "views": views,
            "top-1 error": f"{percent(numbers['top1_error'])} ({between(numbers['top1_interval'])})",
            "top-5 error": f"{percent(numbers['top5_error'])} ({between(numbers['top5_interval'])})",
            "mean of classes": percent(numbers["mean_class_error"]),
            "-log p": f"{numbers['negative_log_likelihood']:.3f}",
        }
        for result in results
        for views, numbers in ((views, result.get(key)) for views, key in ((1, "1_view"), (10, "10_views")))
        if numbers
    ]
    return _plain(rows)


def hardest_classes(result, most=5):
    """The classes with the highest errors in one line, most pictures first where errors are equal."""
    judged = [row for row in result["classes"] if row["pictures"]]
    worst = sorted(judged, key=lambda row: (-row["top1_error"], -row["pictures"]))[:most]
    return ", ".join(f"{row['class']} {row['top1_error']:.0%} of {row['pictures']}" for row in worst)


def predictions(pictures):
    """The most probable classes of each picture, a row each.

    Args:
        pictures: Sequence of pairs: a name, and what `prediction.Prediction.best` gives.

    Returns:
        The table; the right class has a mark, where it is known.
    """
    return _plain(
        {
            "picture": name if rank == 0 else "",
            "probability": percent(row["probability"]),
            "class": row["class"],
            "": "right" if row.get("right") else "",
        }
        for name, best in pictures
        for rank, row in enumerate(best)
    )


def runs(rows):
    """A row for each run.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.

    Returns:
        The table, with those settings of the recipes alone that are not the same in all runs.
    """
    recipes = [row["recipe"] for row in rows]
    names = dict.fromkeys(name for recipe in recipes for name in recipe if name != "epochs")  # beside those done
    differing = [name for name in names if len({str(recipe.get(name)) for recipe in recipes}) > 1]
    return _plain(
        {"run": row["run"], "date": row["date"], "data": row["dataset"], "epochs": row["epochs"]}
        | {name: _said(row["recipe"].get(name, "")) for name in differing}
        | {split: _errors(row["results"].get(split)) for split in ("validation", "test")}
        for row in rows
    )


def _errors(numbers):
    """Top-1 and top-5 error of the most views that were judged."""
    best = (numbers or {}).get("10_views") or (numbers or {}).get("1_view")
    return f"{percent(best['top1_error'])}, {percent(best['top5_error'])}" if best else ""


def _said(value):
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(rows):
    return tabulate.tabulate(list(rows), headers="keys", disable_numparse=True)
