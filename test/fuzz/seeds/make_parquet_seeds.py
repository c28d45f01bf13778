"""Writes small Parquet files, one for each way in which columns are written: python make_parquet_seeds.py (pyarrow)."""
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

here = Path(__file__).parent
width = [1, 2, 3, 2, 2, 2]
height = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
soil = ["clay", "loam", "clay", "loam", "clay", "clay"]
y = [0, 1, 0, 1, 0, 0]


def table(width=width, height=height, soil=soil, **more):
    return pa.table({"width": width, "height": height, "soil": soil, **more, "y": pa.array(y, pa.int32())})


def write(name, data, **options):
    plain = {"compression": "none", "use_dictionary": False, "store_schema": False, "write_statistics": False}
    pq.write_table(data, here / f"{name}.parquet", **{**plain, **options})


def encoded(numbers, texts, whole="PLAIN"):
    return {"column_encoding": {"width": whole, "height": numbers, "soil": texts, "y": whole}}


write("plain", table())
write("plain-v2", table(), data_page_version="2.0")
write("dictionary", table(), use_dictionary=True)
write("dictionary-v2", table(), use_dictionary=True, data_page_version="2.0")
write("delta", table(), **encoded("BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY", "DELTA_BINARY_PACKED"))
write("delta-length", table(), **encoded("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "BYTE_STREAM_SPLIT"))
for codec in ["snappy", "gzip", "brotli", "zstd", "lz4"]:
    write(codec, table(), compression=codec)
gaps = table(width=[1, None, 3, None, 2, 2], height=[None, 1.5, None, 3.5, 4.5, 5.5])
write("gaps", gaps, use_dictionary=True)
write("gaps-v2", gaps, data_page_version="2.0", use_dictionary=True)
write("groups", table(), row_group_size=2, write_statistics=True)
write("pages", table(), write_page_index=True, data_page_size=1, write_batch_size=1)
types = table(
    width=pa.array(width, pa.decimal128(10, 2)),
    height=pa.array(height, pa.float16()),
    flag=pa.array([at == 1 for at in y]),
    day=pa.array(width, pa.date32()),
    moment=pa.array(width, pa.timestamp("us")),
    small=pa.array(width, pa.uint8()),
    large=pa.array(width, pa.uint64()),
    fixed=pa.array([b"ab"] * 6, pa.binary(2)),
)
write("types", types)
nested = table(
    list=pa.array([[1, 2], [], None, [3], [4], [5]]),
    map=pa.array([[("a", 1)], [], None, [("b", 2)], [], []], pa.map_(pa.string(), pa.int32())),
    struct=pa.array([{"a": 1, "b": [1]}] * 6),
)
write("nested", nested)
