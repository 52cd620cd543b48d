"""``search.html``: the report of a search, in one file that loads nothing else."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna import visualization
from optuna.trial import FrozenTrial, TrialState

from kiwi import __version__
from kiwi.lib.search.attributes import REASON
from kiwi.lib.search.context import SearchContext
from kiwi.lib.search.progress import STATES, format_value
from kiwi.lib.search.trials import FINISHED
from kiwi.utils.io import write_text
from kiwi.utils.templates import render

REPORT_FILE = "search.html"


@dataclass(frozen=True)
class _Figure:
    title: str
    html: str | None = None
    reason: str = ""
    """The reason why there is no figure."""


@dataclass(frozen=True)
class _Row:
    kind: str
    """The class in the style sheet."""

    cells: list[Any]


def savings(trials: Sequence[FrozenTrial]) -> tuple[int, float]:
    """Return how many trials ended early, and the share of all validations that was saved.

    A trial that ended early is assumed to save the difference between its validations and the average of completed
    trials.

    Args:
        trials: the trials of a search.
    """
    done = [each.last_step for each in trials if each.state == TrialState.COMPLETE and each.last_step]
    early = [each.last_step for each in trials if each.state == TrialState.PRUNED and each.last_step]
    if not done or not early:
        return len(early), 0.0
    mean = statistics.mean(done)
    saved = sum(max(mean - steps, 0.0) for steps in early)
    return len(early), saved / (sum(done) + sum(early) + saved)


def write_report(context: SearchContext) -> Path:
    """Write the report of a search.

    Args:
        context: the search.

    Returns:
        The file.
    """
    trials = context.trials.list_trials()
    n_early, share_saved = savings(trials)
    counts = {state: sum(each.state == state for each in trials) for state in STATES}
    page = render(
        "search.html.jinja",
        title=context.name,
        n_trials=len(trials),
        counts=[f"{count} {STATES[state]}" for state, count in counts.items() if count],
        n_early=n_early,
        share_saved=share_saved,
        metric=context.space.metric,
        is_better_high=context.space.is_better_high,
        kiwi_version=__version__,
        optuna_version=optuna.__version__,
        figures=list(_draw_figures(context)),
        header=_list_columns(context),
        rows=list(_list_rows(context)),
    )
    path = context.directory / REPORT_FILE
    write_text(path, page)
    return path


def _draw_figures(context: SearchContext) -> Iterator[_Figure]:
    metric = context.space.metric
    # A study of the trials that have ended: that of the search may have more trials, which wait.
    study = optuna.create_study(direction=context.study.direction, study_name=context.name)
    study.add_trials(context.trials.list_trials(*FINISHED))

    def target(trial: FrozenTrial) -> float:
        return float(trial.value or 0.0)

    figures = {
        "History": lambda: visualization.plot_optimization_history(study, target_name=metric),
        "Validations": lambda: visualization.plot_intermediate_values(study),
        "Parallel coordinates": lambda: visualization.plot_parallel_coordinate(study, target_name=metric),
        "Importances": lambda: visualization.plot_param_importances(study, target_name=metric),
        "Slices": lambda: visualization.plot_slice(study, target=target, target_name=metric),
    }
    has_library = False
    for title, draw in figures.items():
        try:
            figure = _draw_quietly(draw)
        except (ValueError, RuntimeError) as error:  # too few trials, or all the same
            yield _Figure(title, reason=str(error).splitlines()[0])
            continue
        # Plotly's library is in the file once.
        text = figure.to_html(full_html=False, include_plotlyjs=not has_library, config={"displaylogo": False})
        has_library = True
        yield _Figure(title, text)


def _draw_quietly(draw: Callable[[], Any]) -> Any:
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = draw()
    finally:
        optuna.logging.set_verbosity(level)
    if not figure.data:
        raise ValueError("too few of them were completed.")
    return figure


def _list_columns(context: SearchContext) -> list[str]:
    return [
        "trial",
        "",
        context.space.metric,
        "validations",
        *(each.name for each in context.space.parameters),
        "reason",
    ]


def _list_rows(context: SearchContext) -> Iterator[_Row]:
    """Return the trials that have ended, the completed ones first, the best of them at the top."""
    ranked = sorted(context.rank_trials(*FINISHED), key=lambda each: each.state != TrialState.COMPLETE)
    names = [parameter.name for parameter in context.space.parameters]
    for position, each in enumerate(ranked):
        is_done = each.state == TrialState.COMPLETE
        kind = "other" if not is_done else "best" if position == 0 else ""
        value = "" if each.value is None else f"{each.value:.4f}"
        drawn = [format_value(each.params[name]) if name in each.params else "" for name in names]
        cells = [each.number, STATES[each.state], value, each.last_step or "", *drawn, each.user_attrs.get(REASON, "")]
        yield _Row(kind, cells)
