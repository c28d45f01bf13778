"""Runs a compiled pipeline by the SDK's own runner for containers, on the engine that DOCKER_HOST names.

    python kfp_run.py pipeline.yaml /directory/of/the/claim

The runner reads the pipeline alone. What the file's second document tells Kubernetes (the claim as a mount, /tmp, who
runs the containers) is told to it here: once, since it has no settings for each task.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container, ContainerCollection
from kfp import components, local


def keep_containers_until_asked() -> None:
    """The runner lets the engine remove a container that ends, and takes one that is gone when it asks for the exit
    code for a good end: here a container stays until its exit code is known."""
    run, wait = ContainerCollection.run, Container.wait

    def run_and_keep(containers: ContainerCollection, *args: Any, auto_remove: bool, **options: Any) -> Container:
        return run(containers, *args, **options)

    def wait_and_remove(container: Container) -> dict[str, Any]:
        try:
            return wait(container)
        finally:
            container.remove()

    ContainerCollection.run, Container.wait = run_and_keep, wait_and_remove


def settings_of(platform: dict[str, Any], directory: str) -> dict[str, Any]:
    """The platform's document as arguments of a container, which must be the same for all tasks."""
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()

    def only(values: list[Any]) -> Any:
        assert all(each == values[0] for each in values), f"tasks differ: {values}"
        return values[0]

    user = only([each["securityContext"] for each in executors])
    path = only([each["pvcMount"][0]["mountPath"] for each in executors])
    scratch = {mount["mountPath"] for each in executors for mount in each["emptyDirMounts"]}
    return {
        "user": f"{user['runAsUser']}:{user['runAsGroup']}",
        "mounts": [docker.types.Mount(path, directory, type="bind")],
        "tmpfs": {path: "rw,size=64m,mode=1777" for path in scratch},
    }


def main() -> None:
    """Runs the pipeline; a task that fails for good ends this program with a sentence."""
    path, directory = sys.argv[1:]
    text = Path(path).read_text()
    _, platform = yaml.safe_load_all(text)
    keep_containers_until_asked()
    # A pipeline gives whole commands, which Kubernetes puts in the place of the image's own entry point.
    kubernetes = {"entrypoint": ["env", "--"], "read_only": True, "network_mode": "none", "cap_drop": ["ALL"]}
    limits = {"security_opt": ["no-new-privileges"], "nano_cpus": 10**9, "mem_limit": "1g", "pids_limit": 128}
    with tempfile.TemporaryDirectory() as root:
        runner = local.DockerRunner(**kubernetes, **limits, **settings_of(platform, directory))
        local.init(runner=runner, pipeline_root=root)
        try:
            components.load_component_from_text(text)()
        except RuntimeError as error:
            sys.exit(f"{error}")


main()
