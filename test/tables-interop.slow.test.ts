/** pandas and pyarrow read the tables that we read, and find the same in them: the slow tier, where a Python has both. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import type { Column } from '../lib/formats/sources/table/column.js';
import { readRoles } from '../lib/formats/sources/table/table-roles.js';
import { runPython } from './numpy.js';
import { temporaryDirectory } from './temporary-directory.js';

/** A Python with both: `FEDBATCH_PYTHON`, then the usual names. */
async function findPandas(): Promise<string | undefined> {
  for (const python of new Set([process.env.FEDBATCH_PYTHON ?? 'python3', 'python3', '/usr/bin/python3'])) {
    if (!(await execa(python, ['-c', 'import pandas, pyarrow'], { reject: false })).failed) return python;
  }
  return undefined;
}

/** Writes tables as pandas does, and says what pandas reads of them again. */
const MAKE = `
import json, sys, numpy as np, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
out = sys.argv[1]
r = np.random.default_rng(int(sys.argv[2]))
n = int(r.integers(1, 3000))
holes = lambda a: np.where(r.random(n) < 0.1, None, a)
words = np.array(["a", "b c", 'd"e', "f,g", "h\\ni", "ü", "x;y", " z"])
frame = pd.DataFrame({
    "whole": r.integers(-2**31, 2**31, n),
    "double": r.normal(size=n) * 10.0 ** r.integers(-300, 300, n),
    "holed": pd.array(holes(r.integers(0, 50, n)), "Float64"),
    "word": words[r.integers(0, len(words), n)],
    "maybe": holes(words[r.integers(0, len(words), n)]),
    "day": pd.date_range("1999-12-30", periods=n).strftime("%Y-%m-%d"),
    "target": r.normal(size=n),
})
files = {}
for name, keep in [("plain.csv", dict(sep=",")), ("semicolon.csv", dict(sep=";")), ("tab.tsv", dict(sep="\\t")), ("packed.csv.gz", dict(sep=",", lineterminator="\\r\\n")), ("quoted.csv", dict(sep=",", quoting=1))]:
    frame.to_csv(f"{out}/{name}", index=False, **keep)
    files[name] = pd.read_csv(f"{out}/{name}", sep=keep["sep"], skipinitialspace=False)
for codec in ["snappy", "gzip", "zstd", "brotli", "none"]:
    for version in ["1.0", "2.0"]:
        name = f"{codec}-{version}.parquet"
        pq.write_table(pa.Table.from_pandas(frame), f"{out}/{name}", compression=codec, data_page_version=version, row_group_size=int(r.integers(1, n + 1)), use_dictionary=bool(r.integers(2)))
        files[name] = pd.read_parquet(f"{out}/{name}")
print(json.dumps({name: {c: [None if pd.isna(v) else v if isinstance(v, str) else float(v) for v in read[c]] for c in read} for name, read in files.items()}))`;

test('what pandas reads of a CSV or Parquet file, we read', { timeout: 300_000 }, async (t) => {
  const python = await findPandas();
  if (python === undefined) return t.skip('no python3 with pandas and pyarrow: name one in FEDBATCH_PYTHON');
  for (const seed of [1, 2, 3]) {
    const directory = await temporaryDirectory(t);
    const expected = JSON.parse(await runPython(python, MAKE, [directory, `${seed}`])) as Readonly<
      Record<string, Readonly<Record<string, readonly (number | string | null)[]>>>
    >;
    assert.ok(Object.keys(expected).length === 15);
    for (const [name, columns] of Object.entries(expected)) {
      const files = [{ path: join(directory, name), isParquet: name.endsWith('.parquet'), isTest: false }];
      const { names, inputs, target } = await readRoles(files, { keeps: 'all' });
      assert.deepEqual(names, Object.keys(columns), name);
      for (const [column, cells] of Object.entries(columns)) {
        const found = column === 'target' ? target : (inputs.get(column) as Column);
        const wanted = cells.map((value) =>
          typeof value === 'number' && column !== 'target' ? Math.fround(value) : value,
        );
        assert.deepEqual(cellsOf(found, cells.length), wanted, `${name} ${column}, seed ${seed}`);
      }
    }
  }
});

test('what pandas refuses as broken, we refuse by its line', async (t) => {
  const python = await findPandas();
  if (python === undefined) return t.skip('no python3 with pandas and pyarrow: name one in FEDBATCH_PYTHON');
  const file = join(await temporaryDirectory(t), 'a.csv');
  await writeFile(file, 'a,b\n1,2\n3,4,5\n');
  const script = 'import sys, pandas; pandas.read_csv(sys.argv[1])';
  const { stderr } = await execa(python, ['-c', script, file], { reject: false });
  assert.match(stderr, /Expected 2 fields in line 3, saw 3/);
  await assert.rejects(
    readRoles([{ path: file, isParquet: false, isTest: false }], { keeps: 'all' }),
    /a\.csv line 3: expected as many cells as in the first row, found 3/,
  );
});

function cellsOf(column: Column, rows: number): readonly (number | string | null)[] {
  const texts = [...(column.texts?.keys() ?? [])];
  return Array.from({ length: rows }, (_, row) => {
    const value = column.at(row);
    if (column.type === 'number') return Number.isNaN(value) ? null : value;
    return texts[value] ?? null;
  });
}
