"""Makes data of a size, and reads and splits them as people do with pandas, pyarrow and numpy.

    tables.py make FORMAT FILE MEGABYTES             a table of 32 numbers, a text and a label, or images with labels
    tables.py read PROGRAM FORMAT FILE               prints the seconds that reading took, and those of the processors
    tables.py split PROGRAM FORMAT FILE CLIENTS DIR  the same of what `fedbatch split` does: into shards and a test set
"""
import sys
import time

import numpy as np

WORDS = np.array(["Basel", "Bern", "Chur", "Genf", "Olten", "Sion", "Thun", "Zug"])
COLUMNS = 32
ROWS_AT_ONCE = 20_000


def batches(seed=0):
    """Rows in numpy arrays, without end."""
    random = np.random.default_rng(seed)
    while True:
        numbers = np.round(random.normal(size=(ROWS_AT_ONCE, COLUMNS)) * 100, 4).astype("float32")
        yield numbers, WORDS[random.integers(0, len(WORDS), ROWS_AT_ONCE)], random.integers(0, 10, ROWS_AT_ONCE)


def tables():
    import pyarrow as pa

    for numbers, words, labels in batches():
        columns = {f"n{at}": numbers[:, at] for at in range(COLUMNS)}
        yield pa.table({**columns, "town": words, "label": labels})


def make(kind, file, megabytes):
    import os

    if kind == "npz":
        count = int(megabytes * 1e6) // 784
        random = np.random.default_rng(0)
        x = np.lib.format.open_memmap(f"{file}.npy", mode="w+", dtype="uint8", shape=(count, 28, 28))
        for at in range(0, count, ROWS_AT_ONCE):
            x[at : at + ROWS_AT_ONCE] = random.integers(0, 256, x[at : at + ROWS_AT_ONCE].shape, dtype="uint8")
        x.flush()
        np.savez(file, x=x, y=random.integers(0, 10, count))
        os.remove(f"{file}.npy")
        return
    import pyarrow.csv
    import pyarrow.parquet

    writer = None
    for table in tables():
        if writer is None:
            opened = pyarrow.csv.CSVWriter if kind == "csv" else pyarrow.parquet.ParquetWriter
            writer = opened(file, table.schema)
        writer.write_table(table)
        if os.path.getsize(file) >= megabytes * 1e6:
            break
    writer.close()


def read(program, kind, file):
    """The arrays of an npz by name, or a table of the program."""
    if program == "numpy":
        with np.load(file) as archive:
            return {name: archive[name] for name in archive.files}
    if program == "pandas":
        import pandas

        return pandas.read_csv(file) if kind == "csv" else pandas.read_parquet(file)
    import pyarrow.csv
    import pyarrow.parquet

    return pyarrow.csv.read_csv(file) if kind == "csv" else pyarrow.parquet.read_table(file)


def arrays_of(table):
    """What a shard of a table holds: its numbers as one array, places of the texts in their list, the labels."""
    numbers = np.empty((len(table), COLUMNS), "float32")
    for at in range(COLUMNS):
        numbers[:, at] = table[f"n{at}"].to_numpy()
    towns = table["town"].combine_chunks().dictionary_encode()
    return {
        "x/numbers": numbers,
        "x/town": towns.indices.to_numpy().astype("int32")[:, None],
        "y": table["label"].to_numpy().astype("int32"),
    }


def split(program, kind, file, clients, directory):
    """Shuffles, holds a tenth out, writes a shard for each client, and finds the hashes and statistics of the manifest."""
    import hashlib
    import os

    def sha256(path):
        with open(path, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    os.makedirs(directory, exist_ok=True)
    hashes = [sha256(file)]
    data = read(program, kind, file)
    parts = data if program == "numpy" else arrays_of(data)
    del data
    order = np.random.default_rng(0).permutation(len(parts["y"]))
    held_out = len(order) // 10
    places = {"test": order[:held_out]}
    places.update({str(at): each for at, each in enumerate(np.array_split(order[held_out:], int(clients)))})
    for name, rows in places.items():
        path = os.path.join(directory, f"{name}.npz")
        with open(path, "wb") as opened:
            np.savez(opened, **{part: values[rows] for part, values in parts.items()})
            opened.flush()
            os.fsync(opened.fileno())
        hashes.append(sha256(path))
    if "x/numbers" in parts:
        numbers = parts["x/numbers"][order[held_out:]]
        _ = [numbers.mean(0, dtype="float64"), numbers.std(0, dtype="float64"), numbers.min(0), numbers.max(0)]
    _ = [np.bincount(parts["y"][rows]) for rows in places.values()]


def timed(work, program, *rest):
    if program == "pandas":
        import pandas  # noqa: F401
    elif program == "pyarrow":
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401
    started, processors = time.perf_counter(), time.process_time()
    work(program, *rest)
    print(time.perf_counter() - started, time.process_time() - processors)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        timed({"read": read, "split": split}[sys.argv[1]], *sys.argv[2:])
