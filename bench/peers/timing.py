"""Times the steps of a framework the same way for all; prints one JSON line."""
import json
import math
import statistics
import time

WARM_UP_STEPS = 5


def time_steps(step, *, started, steps, batch, version, parameters, seconds=math.inf):
    """`step()` trains once and waits for its result; `started` is perf_counter() of the start of the program.

    At most `steps` of them count, and none that would begin after `seconds`.
    """
    step()
    first_step_seconds = time.perf_counter() - started
    for _ in range(min(WARM_UP_STEPS, steps)):
        step()
    taken = []
    until = time.perf_counter() + seconds
    while not taken or (len(taken) < steps and time.perf_counter() < until):
        step_started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - step_started)
    median = statistics.median(taken)
    print(json.dumps({
        "stepMs": median * 1e3,
        "examplesPerSecond": batch / median,
        "firstStepSeconds": first_step_seconds,
        "version": version,
        "parameters": parameters,
    }))
