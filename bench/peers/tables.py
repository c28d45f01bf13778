"""Makes data of a size, and reads them as pandas, pyarrow and numpy do.

    tables.py make FORMAT FILE MEGABYTES      a table of 32 numbers, a text and a label, or images with labels
    tables.py read PROGRAM FORMAT FILE        prints the seconds that reading took, and those of the processors
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
    started = processors = None
    if program == "numpy":
        started, processors = time.perf_counter(), time.process_time()
        with np.load(file) as archive:
            _ = {name: archive[name] for name in archive.files}
    elif program == "pandas":
        import pandas

        started, processors = time.perf_counter(), time.process_time()
        pandas.read_csv(file) if kind == "csv" else pandas.read_parquet(file)
    else:
        import pyarrow.csv
        import pyarrow.parquet

        started, processors = time.perf_counter(), time.process_time()
        pyarrow.csv.read_csv(file) if kind == "csv" else pyarrow.parquet.read_table(file)
    print(time.perf_counter() - started, time.process_time() - processors)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        read(*sys.argv[2:])
