"""The command that serves models over HTTP."""

from __future__ import annotations

from pathlib import Path

import typer

from kiwi.cli.options import (
    AlignerOption,
    AlignOption,
    BatchTokensOption,
    GpuOption,
    PrecisionOption,
    QuietOption,
    ThreadsOption,
    VerboseOption,
    check_choice,
)
from kiwi.cli.serving_options import (
    AllowedHostsOption,
    BatchWaitOption,
    CacheBytesOption,
    CacheOption,
    DrainOption,
    FeedbackOption,
    FileExpiryOption,
    HostOption,
    KeysOption,
    LogTextsOption,
    MaxBytesOption,
    MaxContentBytesOption,
    MaxFileBytesOption,
    MaxFilesOption,
    MaxSegmentsOption,
    MaxTokensOption,
    ModelsOption,
    NewKeyOption,
    PoliciesOption,
    PortOption,
    QueueOption,
    ShutdownOption,
    TimeoutOption,
    WorkersOption,
)


def serve(
    model: ModelsOption = None,
    policy: PoliciesOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    workers: WorkersOption = 1,
    keys: KeysOption = None,
    new_key: NewKeyOption = None,
    allowed_host: AllowedHostsOption = None,
    queue: QueueOption = 20_000,
    cache: CacheOption = 50_000,
    cache_bytes: CacheBytesOption = 2**28,
    batch_wait: BatchWaitOption = 2,
    max_bytes: MaxBytesOption = 8 * 2**20,
    max_segments: MaxSegmentsOption = 2000,
    max_tokens: MaxTokensOption = 200_000,
    timeout: TimeoutOption = 60,
    max_file_bytes: MaxFileBytesOption = 256 * 2**20,
    max_content_bytes: MaxContentBytesOption = 2**30,
    max_files: MaxFilesOption = 20,
    file_expiry: FileExpiryOption = 3600,
    feedback: FeedbackOption = None,
    shutdown_timeout: ShutdownOption = 30,
    drain_timeout: DrainOption = 3600,
    log_texts: LogTextsOption = False,
    gpu_id: GpuOption = None,
    threads: ThreadsOption = None,
    batch_tokens: BatchTokensOption = None,
    precision: PrecisionOption = "32",
    align: AlignOption = True,
    aligner: AlignerOption = None,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve models over HTTP, to programs and people.

    Examples: kiwi serve; kiwi serve -m mini -m large=runs/large --policy policy.json --keys keys.yaml
    """
    import logging
    import os

    from kiwi.runner.options import PredictOptions
    from kiwi.systems.manifest.locations import default_model
    from kiwi.utils.imports import needs_extra
    from kiwi.utils.written import user_path

    with needs_extra("serve", "kiwi serve"):
        from kiwi.serve.batching.worker import QueueOptions
        from kiwi.serve.keys import VARIABLE, describe_new_key, read_keys
        from kiwi.serve.options import Limits, ServeOptions, parse_named
        from kiwi.serve.server import serve as run
    if new_key is not None:
        typer.echo(describe_new_key(new_key))
        return
    options = ServeOptions(
        models=parse_named(model or [default_model()], "--model"),
        policies={name: user_path(Path(path)) for name, path in parse_named(policy or [], "--policy").items()},
        predict=PredictOptions(
            gpu_id=gpu_id,
            threads=threads,
            batch_tokens=batch_tokens,
            precision=check_choice("--precision", precision, ("32", "bf16", "16", "auto")),
            align=align,
            aligner=aligner,
        ),
        queue=QueueOptions(batch_wait / 1000, queue, cache, cache_bytes),
        limits=Limits(
            max_bytes=max_bytes,
            max_segments=max_segments,
            max_tokens=max_tokens,
            timeout=timeout,
            max_file_bytes=max_file_bytes,
            max_content_bytes=max_content_bytes,
            max_jobs=max_files,
            file_expiry=file_expiry,
        ),
        keys=read_keys(None if keys is None else user_path(keys), os.environ.get(VARIABLE)),
        host=host,
        port=port,
        allowed_hosts=tuple(name.lower() for name in allowed_host or ()),
        workers=workers,
        shutdown_timeout=shutdown_timeout,
        drain_timeout=drain_timeout,
        feedback=None if feedback is None else user_path(feedback),
        log_texts=log_texts,
    )
    run(options, logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
