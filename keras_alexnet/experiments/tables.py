"""Tables of the archived runs, in Markdown."""

import tabulate


def record(rows):
    """What runs on record have measured, in Markdown: top-1 and top-5 errors in per cent, one view and ten.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.

    Returns:
        The table, by name of the run.
    """
    table = [
        {"run": f"[{row['run']}]({row['run']})", "command": f"`{row['command']}`", "date": row["date"]}
        | {
            f"{split}, {name}": _both_errors(row["results"][split].get(views))
            for split in ("validation", "test")
            for views, name in (("1_view", "one view"), ("10_views", "ten"))
        }
        for row in sorted(rows, key=lambda row: row["run"])
    ]
    return tabulate.tabulate(table, headers="keys", tablefmt="github", disable_numparse=True)


def _both_errors(numbers):
    return f"{100 * numbers['top1_error']:.1f}, {100 * numbers['top5_error']:.1f}" if numbers else ""
