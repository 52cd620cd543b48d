"""A search as a run of MLflow, in which the runs of its trials are nested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiwi.lib.search.attributes import MLFLOW_PARENT
from kiwi.lib.search.context import SearchContext
from kiwi.lib.search.result import SearchInfo
from kiwi.loggers import MLFlowTrackingLogger, tracked
from kiwi.utils.display import hide_secrets


@contextmanager
def track_search(context: SearchContext) -> Iterator[MLFlowTrackingLogger | None]:
    """Track a search in MLflow while the block runs it.

    Args:
        context: the search.

    Yields:
        The run of the search; None when the base configuration does not use MLflow.
    """
    tracker = _open_tracker(context)
    with tracked(tracker, context.directory):
        yield tracker


def _open_tracker(context: SearchContext) -> MLFlowTrackingLogger | None:
    config, run = context.config, context.config.base_config.run
    if not run.use_mlflow:
        return None
    former = context.study.user_attrs.get(MLFLOW_PARENT)
    tracker = MLFlowTrackingLogger(
        run.experiment_name, former, run.mlflow_tracking_uri, run.mlflow_always_log_artifacts, anchor=Path()
    )
    tracker.log_params(hide_secrets(config.model_dump(mode="json", exclude={"storage", "base_config"})))
    tracker.set_tags({"mlflow.runName": context.name})
    tracker.describe(f"Search of {config.num_trials} trials with {config.options.search_method}")
    context.study.set_user_attr(MLFLOW_PARENT, tracker.mlflow_run_id)
    return tracker


def log_result(tracker: MLFlowTrackingLogger | None, context: SearchContext, info: SearchInfo) -> None:
    """Send the best trial and the report to MLflow.

    Args:
        tracker: the run of the search; None sends nothing.
        context: the search.
        info: the result of the search.
    """
    if tracker is None:
        return
    tracker.set_tags({"kiwi.best_trial": info.best_trial})
    tracker.log_metrics({f"best_{context.space.metric}": info.best_value}, step=context.config.num_trials)
    for file in (info.report, info.best_config):
        tracker.log_file(file)
