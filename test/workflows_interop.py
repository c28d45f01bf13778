"""Opens rendered jobs with the engines' own Python packages; prints as JSON what these made of them.

    python workflows_interop.py workflow.yaml pipeline.yaml jobset.yaml runtime.yaml train-job.yaml
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from hera.workflows import Workflow
from kfp import compiler, components
from kubeflow_trainer_api import models as trainer


def dropped(given: Any, kept: Any, path: str = "") -> list[str]:
    """Paths of what a package did not keep, or changed."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [each for key, value in given.items() for each in dropped(value, kept.get(key), f"{path}/{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [each for at, value in enumerate(given) for each in dropped(value, kept[at], f"{path}/{at}")]
    return [] if given == kept or str(given) == str(kept) else [path]


def argo(path: str) -> dict[str, Any]:
    """Through hera, which builds Workflows in Python."""
    given = yaml.safe_load(Path(path).read_text())
    kept = Workflow.from_file(path).to_dict()
    return {"templates": [each["name"] for each in kept["spec"]["templates"]], "dropped": dropped(given, kept)}


def kfp(path: str) -> dict[str, Any]:
    """Through the SDK: loaded as a component, and compiled again."""
    text = Path(path).read_text()
    pipeline, platform = yaml.safe_load_all(text)
    component = components.load_component_from_text(text)
    with tempfile.TemporaryDirectory() as directory:
        again = Path(directory) / "pipeline.yaml"
        compiler.Compiler().compile(component, str(again))
        pipeline_again, platform_again = yaml.safe_load_all(again.read_text())
    return {
        "name": component.name,
        "tasks": sorted(component.pipeline_spec.root.dag.tasks),
        "dropped": dropped(pipeline, pipeline_again) + dropped(platform, platform_again),
    }


def kubeflow(model: Any, path: str) -> dict[str, Any]:
    """Through the models of Kubeflow Trainer's API."""
    given = yaml.safe_load(Path(path).read_text())
    return {"dropped": dropped(given, model.from_dict(given).to_dict())}


workflow, pipeline, jobset, runtime, train_job = sys.argv[1:]
print(
    json.dumps(
        {
            "versions": {each: version(each) for each in ("hera", "kfp", "kubeflow-trainer-api")},
            "argo": argo(workflow),
            "kfp": kfp(pipeline),
            "jobset": kubeflow(trainer.JobsetV1alpha2JobSet, jobset),
            "runtime": kubeflow(trainer.TrainerV1alpha1TrainingRuntime, runtime),
            "trainJob": kubeflow(trainer.TrainerV1alpha1TrainJob, train_job),
        }
    )
)
