"""The models of a server, by name, each of which can be replaced by a new version while it is used."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kiwi.exceptions import ConfigError, KiwiError, UnfitPolicyError
from kiwi.lib.score import FIELDS
from kiwi.lib.score.deciding import Decider
from kiwi.lib.score.flagging import Flagger
from kiwi.lib.score.scale import Scale
from kiwi.runner import Runner
from kiwi.runner.loading import open_runner
from kiwi.serve.batching.cache import Row, Texts
from kiwi.serve.batching.model import SystemModel
from kiwi.serve.batching.queue import QueueClosedError
from kiwi.serve.batching.work import Entry
from kiwi.serve.batching.worker import Observer, Worker
from kiwi.serve.options import ServeOptions

logger = logging.getLogger(__name__)


class UnknownNameError(KiwiError):
    """A model or policy that the server does not have."""


class ReloadingError(KiwiError):
    """A reload while another one is under way."""


@dataclass(frozen=True)
class ServedModel:
    """A version of a model that is being served."""

    name: str
    runner: Runner
    model: SystemModel
    worker: Worker
    own_scale: Scale
    common_scale: Scale | None
    """The scale from 0 to 100; None where it is not known what the scores mean."""

    deciders: dict[str, Decider] = field(default_factory=dict)
    """What decides by each policy that was made for this model."""

    @property
    def sha256(self) -> str:
        """The hash that identifies it."""
        return self.runner.about.export_sha256 or self.runner.about.sha256

    def describe(self) -> dict[str, Any]:
        """Return what clients may know of it, for JSON."""
        about = self.runner.about
        return {
            "name": self.name,
            "sha256": self.sha256,
            "class_name": about.class_name,
            "precision": about.precision,
            "fields": [name for name in FIELDS if name in about.input_fields],
            "needs_alignments": self.model.needs_alignments,
            "outputs": list(about.outputs),
            "language_pairs": list(about.data.language_pairs),
            "scale": self.own_scale.describe(),
            "scales": ["own"] + (["0-100"] if self.common_scale is not None else []),
            "policies": sorted(self.deciders),
        }

    def flagger(self, languages: tuple[str, ...]) -> Flagger:
        """Return what finds the flags of segments in these languages."""
        return Flagger.choose(languages, self.runner.about)


class Registry:
    """The models of a server.

    Args:
        options: what to serve.
        observe: returns what is told what the worker of a model does, given its name.
    """

    def __init__(self, options: ServeOptions, observe: Callable[[str], Observer] = lambda name: Observer()) -> None:
        self._options = options
        self._observe = observe
        self._reloading = threading.Lock()
        self._old: list[threading.Thread] = []
        self._users: dict[int, int] = {}  # the jobs that use a version, by its identity
        self._changed = threading.Condition()
        self._is_closed = False
        self.models: dict[str, ServedModel] = {}
        """The current version of each model."""
        self.models = self._load_all(list(options.models))

    def find(self, name: str | None = None) -> ServedModel:
        """Return a model by its name; without one, the default.

        Raises:
            UnknownNameError: when there is none of this name.
        """
        found = self.models.get(next(iter(self.models)) if name is None else name)
        if found is None:
            raise UnknownNameError(f"model: found '{name}'; expected one of {', '.join(self.models)}.")
        return found

    def submit(
        self, served: ServedModel, entries: list[Entry], segments: list[Texts]
    ) -> tuple[ServedModel, Future[list[Row]]]:
        """Score segments with a model, or, if it has been replaced in the meantime, with its new version.

        Returns:
            The version that scores them, and their future results.

        Raises:
            QueueFullError: when too many segments wait.
            QueueClosedError: when the server shuts down.
        """
        try:
            return served, served.worker.submit(entries).future
        except QueueClosedError:
            current = self.models[served.name]
            if current is served:
                raise
            return current, current.worker.submit(current.worker.measure(segments)).future

    def reload(self, name: str | None = None, *, wait: bool = True) -> list[ServedModel]:
        """Load the current version of a model from its place, and let it take over; the old one finishes its work.

        If a version cannot be loaded, or a policy would fit no model any more, all models stay as they are.

        Args:
            name: the model; None is all of them.
            wait: whether to wait for a reload that is under way.

        Raises:
            UnknownNameError: when there is none of this name.
            ReloadingError: when another reload is under way that is not to be waited for.
            KiwiError: when it cannot be loaded, or a policy would fit no model any more; the version in use stays.
        """
        names = list(self.models) if name is None else [self.find(name).name]
        if not self._reloading.acquire(blocking=wait):
            raise ReloadingError("Models are being reloaded; ask again when that is done.")
        try:
            new = self._load_all(names)
            with self._changed:
                if self._is_closed:
                    _close(new)
                    new = {}
                old = {each: self.models[each] for each in new}
                self.models |= new
            for each, former in old.items():
                thread = threading.Thread(target=self._retire, args=(former,), name="kiwi-old-model", daemon=True)
                thread.start()
                self._old = [thread, *(earlier for earlier in self._old if earlier.is_alive())]
                logger.info("Reloaded the model %s: %.12s, formerly %.12s.", each, new[each].sha256, former.sha256)
            return [self.models[each] for each in names]
        finally:
            self._reloading.release()

    @contextmanager
    def hold(self, name: str) -> Iterator[ServedModel]:
        """Yield a model whose worker is not closed by a reload meanwhile.

        Args:
            name: the name of the model.
        """
        with self._changed:
            served = self.find(name)
            self._users[id(served)] = self._users.get(id(served), 0) + 1
        try:
            yield served
        finally:
            with self._changed:
                self._users[id(served)] -= 1
                if not self._users[id(served)]:
                    del self._users[id(served)]
                self._changed.notify_all()

    def _retire(self, old: ServedModel) -> None:
        with self._changed:
            self._changed.wait_for(lambda: id(old) not in self._users)
        old.worker.close()

    def close(self, timeout: float) -> bool:
        """Finish what was taken, and end.

        Args:
            timeout: the number of seconds to wait for it.

        Returns:
            Whether everything is finished.
        """
        end = time.monotonic() + timeout
        with self._changed:
            self._is_closed = True
        for served in self.models.values():
            served.worker.queue.close()
        done = [served.worker.close(max(0.0, end - time.monotonic())) for served in self.models.values()]
        for thread in self._old:
            thread.join(max(0.0, end - time.monotonic()))
        return all(done) and not any(thread.is_alive() for thread in self._old)

    def _load_all(self, names: Sequence[str]) -> dict[str, ServedModel]:
        """Load models, and check that each policy fits one of all.

        Raises:
            KiwiError: when a model or a policy cannot be loaded, or a policy fits none.
        """
        loaded: dict[str, ServedModel] = {}
        try:
            for name in names:
                loaded[name] = self._load(name)
            models = self.models | loaded
            fitting = {policy for each in models.values() for policy in each.deciders}
            for policy, path in self._options.policies.items():
                if policy not in fitting:
                    raise ConfigError(
                        f"--policy: found {path}, which was made for none of the models {', '.join(models)}. Make it "
                        "again with kiwi route fit, or serve its model."
                    )
        except BaseException:
            _close(loaded)
            raise
        return loaded

    def _load(self, name: str) -> ServedModel:
        runner = open_runner(self._options.models[name], self._options.predict)
        about = runner.about
        own = Scale.choose("own", runner)
        has_common = own.meaning is not None and "sentence_scores" in about.outputs
        common = Scale.choose("0-100", runner) if has_common else None
        model = SystemModel(runner)
        deciders = {}
        for policy, path in self._options.policies.items():
            try:
                if (decider := Decider.choose(path, about)) is not None:
                    deciders[policy] = decider
            except UnfitPolicyError:
                if len(self._options.models) == 1:
                    raise
        worker = Worker(model, self._options.queue, self._observe(name), log_texts=self._options.log_texts)
        return ServedModel(name, runner, model, worker, own, common, deciders)


def _close(models: Mapping[str, ServedModel]) -> None:
    """End models that were loaded and are not served."""
    for served in models.values():
        served.worker.close()
