"""Times the steps of a framework the same way for all; prints one JSON line."""
import json
import time

WARM_UP_STEPS = 5


def time_steps(step, *, started, steps, batch, version, parameters):
    """`step()` trains once and waits for its result; `started` is perf_counter() of the start of the program."""
    step()
    first_step_seconds = time.perf_counter() - started
    for _ in range(WARM_UP_STEPS):
        step()
    seconds = []
    for _ in range(steps):
        step_started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - step_started)
    middle = steps // 2
    ordered = sorted(seconds)
    median = ordered[middle] if steps % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    print(json.dumps({
        "stepMs": median * 1e3,
        "examplesPerSecond": batch / median,
        "firstStepSeconds": first_step_seconds,
        "version": version,
        "parameters": parameters,
    }))
