"""Federated averaging on Spark: `fedbatch run` leads the rounds, Spark's executors train the clients.

    spark-submit federated_averaging.py --volume /mnt/run --data mnist --clients 100 --fraction 0.1 --rounds 50

What this driver does not know it hands on to `fedbatch run`, which selects the clients of each round, asks for their
training on stdout, and aggregates and tests on this machine. The clients of a round are dealt to partitions; an
executor runs the trainer once for each of its clients. Updates lie on the volume, which every machine mounts at the
same path: through Spark go only the tasks, and how they ended. So the files and their hashes are those of
`fedbatch run` on one machine, and a driver that is started again goes on where it stopped.

With `--each`, a command of your own runs once as each client instead, and `fedbatch each` gathers the results:

    spark-submit federated_averaging.py --each --data /mnt/run/data -- python3 count.py {shard}
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyspark import SparkContext, TaskContext
from pyspark.sql import SparkSession

KEPT_LINES = 100
"""Lines that a trainer tells, apart from its progress, and that go back to the driver: the last ones explain an end."""


def train_client(task: dict[str, Any], fedbatch: list[str]) -> dict[str, Any]:
    """Runs the trainer for one client, its log on this executor's stderr; says how it ended."""
    told: list[str] = []
    try:
        with subprocess.Popen(
            [*fedbatch, *task["command"]],
            env={**os.environ, **gpu_environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as trainer:
            # The result is one short line, so that stdout can wait until stderr has ended.
            for line in trainer.stderr:
                sys.stderr.write(line)
                if '"event":"progress"' not in line:
                    told = [*told, line.rstrip("\n")][-KEPT_LINES:]
            stdout = trainer.stdout.read().splitlines()
    except OSError as error:
        return failure(task, f"{fedbatch[0]} cannot be started on this executor: {error}")
    code = trainer.returncode
    ending = {"exitCode": code} if code >= 0 else {"signal": signal.Signals(-code).name}
    return {"id": task["id"], **ending, "stdout": stdout, "stderr": told}


def gpu_environment() -> dict[str, str]:
    """The GPUs that Spark gave to this task, for CUDA; nothing where it gave none."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.addresses)} if gpu else {}


def failure(task: dict[str, Any], reason: str) -> dict[str, Any]:
    """The ending of a client whose trainer never ran, or went down with its executor."""
    return {"id": task["id"], "exitCode": 1, "stdout": [], "stderr": [reason]}


def train_round(spark: SparkContext, request: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Trains the clients of a request, each in a partition unless `--partitions` says fewer; one ending for each."""
    tasks: list[dict[str, Any]] = request["tasks"]
    fedbatch = shlex.split(options.fedbatch)

    def train_partition(dealt: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        return (train_client(task, fedbatch) for task in dealt)

    what = f"round {request['round']}" if "round" in request else request["event"]
    spark.setJobDescription(f"fedbatch {what}: {len(tasks)} clients")
    dealt = spark.parallelize(tasks, min(len(tasks), options.partitions or len(tasks)))
    if options.barrier:
        return dealt.barrier().mapPartitions(train_partition).collect()
    return dealt.mapPartitions(train_partition).collect()


def answers(spark: SparkContext, request: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """As `train_round`; when Spark gives the job up, every client failed, and the run decides whether it goes on."""
    try:
        return train_round(spark, request, options)
    except Exception as error:  # Whatever Spark raises: the quorum and the retries are the run's.
        sys.stderr.write(f"{error}\n")
        reason = str(error).strip().split("\n")[0]
        return [failure(task, f"Spark gave the job up: {reason}") for task in request["tasks"]]


def lead(spark: SparkContext, options: argparse.Namespace, run_flags: list[str]) -> int:
    """Runs `fedbatch run`, or `fedbatch each`, answers its requests, prints its result; returns its exit code."""
    # Each trainer takes the cores that Spark sets aside for a task; a later flag of the user's wins.
    threads = spark.getConf().get("spark.task.cpus", "1")
    own = ["each", "--runners", "pipe"] if options.each else ["run", "--trainers", "pipe", "--threads", threads]
    command = [*shlex.split(options.fedbatch), *own, *run_flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as run:
        signal.signal(signal.SIGTERM, lambda *_: run.terminate())
        for line in run.stdout:
            if not line.startswith(('{"event":"train"', '{"event":"each"')):
                print(line, end="", flush=True)
                continue
            endings = answers(spark, json.loads(line), options)
            # A run that has ended meanwhile listens no more: its last lines and its exit code say why.
            with suppress(BrokenPipeError):
                run.stdin.writelines(f"{json.dumps(ending)}\n" for ending in endings)
        with suppress(BrokenPipeError):
            run.stdin.close()  # Tries once more to send what could not be sent.
    return run.returncode


def main() -> int:
    """Parses the arguments, runs, stops Spark; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Federated averaging on Spark.",
        epilog="Everything else goes to fedbatch run: see fedbatch run --help.",
        allow_abbrev=False,
    )
    parser.add_argument("--fedbatch", default="fedbatch", help="the program, on the driver and on every executor")
    parser.add_argument("--partitions", type=int, help="partitions of a round (default: one for each client)")
    parser.add_argument("--barrier", action="store_true", help="start a round only when all of its partitions can run")
    parser.add_argument("--each", action="store_true", help="run the command behind -- as each client: fedbatch each")
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    options, run_flags = parser.parse_known_args(words[:end])
    run_flags += words[end:]
    session = SparkSession.builder.appName("fedbatch").getOrCreate()
    try:
        return lead(session.sparkContext, options, run_flags)
    finally:
        session.stop()


if __name__ == "__main__":
    sys.exit(main())
