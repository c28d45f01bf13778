#!/usr/bin/env bash
# Runs the Spark driver's tests under a real Spark in local mode: pyspark from PyPI in .cache/spark (some 500 MB, once).
# Needs Java 17 or newer, Python 3.10 or newer and built sources; says why and passes where it cannot have them.
#
#   scripts/test-spark.sh                                  makes or uses .cache/spark
#   FEDBATCH_SPARK_SUBMIT=…/spark-submit scripts/test-spark.sh    uses that one
set -euo pipefail
cd "$(dirname "$0")/.."
tier='the Spark driver'
source scripts/pypi.sh

command -v java >/dev/null || { skip 'there is no Java (apt-get install default-jre-headless)'; exit 0; }
if [ -z "${FEDBATCH_SPARK_SUBMIT:-}" ]; then
  home=$(environment spark 'pyspark>=4,<5') || exit 0
  FEDBATCH_SPARK_SUBMIT=$home/bin/spark-submit
  export PATH="$home/bin:$PATH" # spark-submit looks for the Python that has pyspark.
fi
export FEDBATCH_SPARK_SUBMIT

npm run build
node scripts/run-tests.mjs --slow test/spark
