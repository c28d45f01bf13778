#!/usr/bin/env bash
# Runs the Spark driver's tests under a real Spark in local mode: pyspark from PyPI in .cache/spark (some 500 MB, once).
# Needs Java 17 or newer, Python 3.10 or newer and built sources; says why and passes where it cannot have them.
#
#   scripts/test-spark.sh                                  makes or uses .cache/spark
#   FEDBATCH_SPARK_SUBMIT=…/spark-submit scripts/test-spark.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
  echo "skipped: the Spark driver: $*"
  exit 0
}

command -v java >/dev/null || skip 'there is no Java (apt-get install default-jre-headless)'
if [ -z "${FEDBATCH_SPARK_SUBMIT:-}" ]; then
  home=$PWD/.cache/spark
  if [ ! -e "$home/complete" ]; then
    "${PYTHON:-python3}" -m venv "$home" || skip 'python3 -m venv does not work here'
    "$home/bin/pip" install --quiet --disable-pip-version-check 'pyspark>=4,<5' || skip 'PyPI cannot be reached'
    touch "$home/complete"
  fi
  FEDBATCH_SPARK_SUBMIT=$home/bin/spark-submit
  export PATH="$home/bin:$PATH" # spark-submit looks for the Python that has pyspark.
fi
export FEDBATCH_SPARK_SUBMIT

npm run build
node scripts/run-tests.mjs --slow test/spark
