"""``search.html``: what a search has found, in one file that needs nothing else."""

from __future__ import annotations

import html
import logging
import statistics
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna import visualization
from optuna.trial import FrozenTrial, TrialState

from kiwi import __version__
from kiwi.lib.search.progress import FINISHED, STATES, shown
from kiwi.lib.search.space import Space
from kiwi.lib.search.trials import REASON, Ledger, merit
from kiwi.utils.io import write_text

logger = logging.getLogger("kiwi.lib.search")

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; } th { font-weight: 600; }
tr.best { font-weight: 600; } tr.other { color: #888; } code, pre { background: #f4f4f4; } pre { padding: .7rem; }
"""


def savings(trials: Sequence[FrozenTrial]) -> tuple[int, float]:
    """How many trials ended early, and which share of all validations that spared.

    A trial that ended early is taken to have had as many to come as the others had on average.
    """
    done = [each.last_step for each in trials if each.state == TrialState.COMPLETE and each.last_step]
    early = [each.last_step for each in trials if each.state == TrialState.PRUNED and each.last_step]
    if not done or not early:
        return len(early), 0.0
    whole = statistics.mean(done)
    spared = sum(max(whole - steps, 0.0) for steps in early)
    return len(early), spared / (sum(done) + sum(early) + spared)


def write_report(path: Path, space: Space, ledger: Ledger) -> None:
    """Draw the trials of a search.

    Args:
        path: of the file.
        space: what is searched.
        ledger: of the search.
    """
    trials = ledger.trials()
    metric = "+".join(space.main_metric)
    # Only what is of this search: the study may have more trials that wait.
    study = optuna.create_study(direction=ledger.study.direction, study_name=ledger.study.study_name)
    study.add_trials([each for each in trials if each.state in FINISHED])
    named: Callable[[FrozenTrial], float] = lambda each: float(each.value or 0.0)  # noqa: E731
    figures = [
        ("History", lambda: visualization.plot_optimization_history(study, target_name=metric)),
        ("Validations", lambda: visualization.plot_intermediate_values(study)),
        ("Parallel coordinates", lambda: visualization.plot_parallel_coordinate(study, target_name=metric)),
        ("Importances", lambda: visualization.plot_param_importances(study, target_name=metric)),
        ("Slices", lambda: visualization.plot_slice(study, target=named, target_name=metric)),
    ]
    drawn: list[str] = []
    has_library = False
    for title, draw in figures:
        figure, reason = _drawn(draw)
        if figure is not None:
            # The library is in the file once.
            text = figure.to_html(full_html=False, include_plotlyjs=not has_library, config={"displaylogo": False})
            has_library = True
        else:
            text = f"<p>Not to be drawn from these trials: {html.escape(reason)}</p>"
        drawn.append(f"<section><h2>{title}</h2>{text}</section>")
    name = html.escape(ledger.study.study_name)
    body = [f"<h1>{name}</h1>", _summary(space, trials), *drawn, _table(space, trials)]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )
    write_text(path, page)


def _drawn(draw: Callable[[], Any]) -> tuple[Any, str]:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = draw()
    except (ValueError, RuntimeError) as error:  # too few trials, or all the same
        return None, str(error).splitlines()[0]
    finally:
        optuna.logging.set_verbosity(level)
    return (figure, "") if figure.data else (None, "too few of them came to an end.")


def _summary(space: Space, trials: Sequence[FrozenTrial]) -> str:
    counts = {state: sum(each.state == state for each in trials) for state in STATES}
    listing = ", ".join(f"{count} {STATES[state]}" for state, count in counts.items() if count)
    n_early, share = savings(trials)
    spared = f" Ending {n_early} early spared {share:.0%} of all validations." if n_early else ""
    way = "higher" if space.is_better_high else "lower"
    return (
        f"<p>{len(trials)} trials: {listing}.{spared} The metric is {html.escape('+'.join(space.main_metric))}, {way} "
        f"is better. <code>best.yaml</code> trains the best one again. kiwi {__version__}, optuna "
        f"{optuna.__version__}.</p>"
    )


def _table(space: Space, trials: Sequence[FrozenTrial]) -> str:
    high = space.is_better_high
    ranked = sorted(
        (each for each in trials if each.state in FINISHED),
        key=lambda each: (
            each.state != TrialState.COMPLETE,
            -(value if (value := merit(each, high)) is not None else float("-inf")),
            each.number,
        ),
    )
    names = [parameter.name for parameter in space.parameters]
    rows = []
    for position, each in enumerate(ranked):
        is_done = each.state == TrialState.COMPLETE
        kind = "other" if not is_done else "best" if position == 0 else ""
        value = "" if each.value is None else f"{each.value:.4f}"
        cells = [each.number, STATES[each.state], value, each.last_step or ""]
        cells += [shown(each.params[name]) if name in each.params else "" for name in names]
        cells += [each.user_attrs.get(REASON, "")]
        rows.append(f'<tr class="{kind}">{"".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)}</tr>')
    header = ["trial", "", "+".join(space.main_metric), "validations", *names, "reason"]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    return f'<section><h2>Trials</h2><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div></section>'
