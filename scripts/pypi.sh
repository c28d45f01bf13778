# Sourced by scripts that test against packages from PyPI.

# environment NAME PIP-ARGUMENTS…: makes the virtual environment .cache/NAME once, with what pip installs by these
# arguments (a line of '--' begins another call of pip), and prints its folder. Ends the script, with the reason and
# successfully, where it cannot be had: PyPI is not for everybody.
environment() {
  local home=$PWD/.cache/$1
  shift
  if [ ! -e "$home/complete" ]; then
    rm -rf "$home"
    "${PYTHON:-python3}" -m venv "$home" >&2 || { skip 'python3 -m venv does not work here'; return 1; }
    local arguments=()
    for argument in "$@" --; do
      if [ "$argument" != -- ]; then
        arguments+=("$argument")
        continue
      fi
      "$home/bin/pip" install --quiet --disable-pip-version-check "${arguments[@]}" >&2 ||
        { skip 'PyPI cannot be reached'; return 1; }
      arguments=()
    done
    touch "$home/complete"
  fi
  echo "$home"
}

# The packages of the targets of workflows; the SDK of Kubeflow Pipelines with what its runner for containers needs.
workflow_packages() {
  environment workflows kfp==2.17.0 kfp-kubernetes==2.17.0 docker==7.2.0 hera==7.1.0 kubeflow-trainer-api==2.3.0
}

# Says why a tier does not run.
skip() {
  echo "skipped: $tier: $*" >&2
}
