#!/usr/bin/env bash
# Runs the job of workflows/spark/spark-application.yaml on a real Kubernetes, and compares its model with that of a
# local run. Spark's image is made of PyPI's pyspark, Debian's Java and workflows/spark/Dockerfile. spark-submit starts
# the driver with what the file says, as the operator does; the operator itself takes no part. The cluster is the one
# that scripts/test-cluster.sh keeps in C. Needs root, Java, podman and buildah; says why and passes where it cannot.
#
#   C=DIR scripts/test-cluster.sh && C=DIR scripts/test-spark-cluster.sh
#
#   FEDBATCH_CLUSTER=DIR       the scripts that made the cluster, instead of ../shared/cluster
#   FEDBATCH_CONTAINERS=DIR    where scripts/test-containers.sh keeps the images, instead of C/img
set -euo pipefail
cd "$(dirname "$0")/.."
tier='Spark on a real Kubernetes'
source scripts/pypi.sh

makers=${FEDBATCH_CLUSTER:-../shared/cluster}
[ -n "${C:-}" ] && [ -f "$makers/env.sh" ] || { skip 'C names no cluster of scripts/test-cluster.sh'; exit 0; }
source "$makers/env.sh"
kubectl get --raw /readyz >/dev/null 2>&1 || { skip "no cluster runs in $C"; exit 0; }
for program in java podman buildah; do
  command -v "$program" >/dev/null || { skip "there is no $program"; exit 0; }
done
step() { printf '\n-- %s\n' "$*"; }

spark=$(environment spark 'pyspark>=4,<5') || exit 0
spark_home=$("$spark/bin/python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
spark_version=$("$spark/bin/python" -c 'import pyspark; print(pyspark.__version__)')

images=${FEDBATCH_CONTAINERS:-$C/img}
export CONTAINERS_CONF="$images/containers.conf" CONTAINERS_STORAGE_CONF="$images/storage.conf"
export XDG_RUNTIME_DIR="$images/run"
node_image=${FEDBATCH_NODE_IMAGE:-localhost/node:bookworm-slim}
podman image exists "$node_image" || { skip "there is no image $node_image in $images"; exit 0; }
work=$(mktemp -d) name=fedbatch-spark
finish() {
  kubectl delete namespace "$name" --ignore-not-found --wait=false >/dev/null || true
  kubectl delete persistentvolume "$name" --ignore-not-found --wait=false >/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

step "Spark's image, and fedbatch beside it"
if ! podman image exists "localhost/spark:$spark_version"; then
  mkdir "$work/base"
  cp -R "$spark_home" "$work/base/spark"
  cat >"$work/base/entrypoint.sh" <<'END'
#!/bin/bash
# What Spark asks of an image on Kubernetes: `driver …` and `executor`, told the rest by variables.
set -e
case ${1:-} in
  driver)
    shift
    exec tini -s -- "$SPARK_HOME/bin/spark-submit" --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
      --deploy-mode client "$@"
    ;;
  executor)
    readarray -t options < <(env | grep '^SPARK_JAVA_OPT_' | sort -t_ -k4 -n | sed 's/[^=]*=//')
    exec tini -s -- java "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "${SPARK_CLASSPATH:-}:$SPARK_HOME/jars/*" org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
      --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
      --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
  *) exec "$@" ;;
esac
END
  chmod +x "$work/base/entrypoint.sh"
  cat >"$work/base/Dockerfile" <<END
FROM $node_image
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless python3 tini procps
COPY spark /opt/spark
COPY entrypoint.sh /opt/entrypoint.sh
ENV SPARK_HOME=/opt/spark
WORKDIR /opt/spark/work-dir
ENTRYPOINT ["/opt/entrypoint.sh"]
END
  buildah build --format docker --layers --tag "localhost/spark:$spark_version" "$work/base" >"$work/build.log" 2>&1 ||
    { tail -n 20 "$work/build.log" >&2; exit 1; }
fi
image=docker.io/fedbatch/spark:0.1.0
buildah build --format docker --layers --file workflows/spark/Dockerfile --tag "$image" \
  --build-arg "NODE_IMAGE=$node_image" --build-arg "SPARK_IMAGE=localhost/spark:$spark_version" \
  --volume="$(npm config get cache 2>/dev/null):/root/.npm" . >"$work/build.log" 2>&1 ||
  { tail -n 20 "$work/build.log" >&2; exit 1; }
podman save --quiet "$image" | ctr --address "$RUN/containerd.sock" --namespace k8s.io images import - >/dev/null

step 'The application'
kubectl create namespace "$name" >/dev/null
install -d -m 2770 -o 10001 -g 10001 "$C/volume/$name"
kubectl apply --filename - >/dev/null <<END
apiVersion: v1
kind: PersistentVolume
metadata: {name: $name}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: none
  claimRef: {namespace: $name, name: fedbatch}
  hostPath: {path: "$C/volume/$name", type: Directory}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: fedbatch, namespace: $name}
spec: {storageClassName: none, accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
END
kubectl apply --namespace "$name" --filename workflows/spark/rbac.yaml >/dev/null
# As the operator reads the file. The cluster has no DNS and one small node, and a small model makes a short test.
cat >"$work/settings.mjs" <<'END'
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const { parse } = createRequire(`${process.cwd()}/`)('yaml');
const [directory, server, namespace, image] = process.argv.slice(2);
const { spec } = parse(readFileSync('workflows/spark/spark-application.yaml', 'utf8'));
const settings = {
  ...spec.sparkConf,
  'spark.kubernetes.namespace': namespace,
  'spark.kubernetes.container.image': image,
  'spark.kubernetes.driver.pod.name': 'fedbatch-driver',
  'spark.kubernetes.authenticate.driver.serviceAccountName': spec.driver.serviceAccount,
  'spark.kubernetes.driver.master': server,
  'spark.kubernetes.submission.waitAppCompletion': 'false',
  'spark.kubernetes.executor.useDriverPodIP': 'true',
  'spark.executor.instances': spec.executor.instances,
};
for (const role of ['driver', 'executor']) {
  const { cores, coreLimit, memory, labels, env, volumeMounts, podSecurityContext, securityContext } = spec[role];
  Object.assign(settings, {
    [`spark.${role}.cores`]: cores,
    [`spark.${role}.memory`]: memory,
    [`spark.${role}.memoryOverhead`]: '1g',
    [`spark.kubernetes.${role}.limit.cores`]: coreLimit,
    [`spark.kubernetes.${role}.request.cores`]: '100m',
    [`spark.kubernetes.${role}.podTemplateFile`]: `${directory}/${role}.json`,
    [`spark.kubernetes.${role}.podTemplateContainerName`]: 'spark',
  });
  const container = { name: 'spark', env, volumeMounts, securityContext };
  const pod = { securityContext: podSecurityContext, volumes: spec.volumes, containers: [container] };
  const template = { apiVersion: 'v1', kind: 'Pod', metadata: { labels }, spec: pod };
  writeFileSync(`${directory}/${role}.json`, JSON.stringify(template));
}
writeFileSync(`${directory}/spark.conf`, Object.entries(settings).map((each) => each.join(' ')).join('\n'));
console.log([spec.mainApplicationFile, ...spec.arguments, '--model=mlp'].join('\n'));
END
readarray -t words < <(node "$work/settings.mjs" "$work" "https://$HOST_IP:6443" "$name" "$image")
SPARK_HOME=$spark_home "$spark_home/bin/spark-submit" --master "k8s://https://$HOST_IP:6443" --deploy-mode cluster \
  --name fedbatch --properties-file "$work/spark.conf" "${words[@]}" >"$work/submit.log" 2>&1 || true
phase=''
for _ in $(seq 450); do
  phase=$(kubectl get --namespace "$name" pod fedbatch-driver -o 'jsonpath={.status.phase}' 2>/dev/null) || break
  case $phase in Succeeded | Failed) break ;; esac
  sleep 2
done
kubectl logs --namespace "$name" fedbatch-driver --tail=-1 >"$work/driver.log" 2>/dev/null || true
tail -n 1 "$work/driver.log"
if [ "$phase" != Succeeded ]; then
  tail -n 30 "$work/submit.log" "$work/driver.log" >&2
  kubectl describe --namespace "$name" pods >&2
  echo 'The application did not complete.' >&2
  exit 1
fi

step 'The same job on this machine'
sum() { sha256sum <"$1/aggregated-model.h5" | cut -d' ' -f1; }
node dist/cli.js run --data digits --clients 4 --rounds 3 --epochs 2 --batch 100 --model mlp --threads 2 \
  --volume "$work/local" --json >/dev/null 2>"$work/local.log" || { cat "$work/local.log" >&2; exit 1; }
there=$(sum "$C/volume/$name/spark") here=$(sum "$work/local")
echo "on Spark $there, here $here"
[ "$there" = "$here" ] || { echo 'The models differ.' >&2; exit 1; }
rm -rf "$C/volume/$name"
