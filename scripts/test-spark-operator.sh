#!/usr/bin/env bash
# Runs workflows/spark/spark-application.yaml by the Spark operator on a real Kubernetes, and compares its model with
# that of a local run. The operator is built once from its Go module and runs beside the control plane; Spark's image is
# made of PyPI's pyspark, Debian's Java and workflows/spark/Dockerfile. The cluster is the one that
# scripts/test-cluster.sh keeps in C. Needs root, Go, Java, podman and buildah; says why and passes where it cannot.
#
#   C=DIR scripts/test-cluster.sh && C=DIR scripts/test-spark-operator.sh
#
#   FEDBATCH_CLUSTER=DIR       the scripts that made the cluster, instead of ../shared/cluster
#   FEDBATCH_CONTAINERS=DIR    where scripts/test-containers.sh keeps the images, instead of C/img
set -euo pipefail
cd "$(dirname "$0")/.."
tier='the Spark operator'
source scripts/pypi.sh

makers=${FEDBATCH_CLUSTER:-../shared/cluster}
[ -n "${C:-}" ] && [ -f "$makers/env.sh" ] || { skip 'C names no cluster of scripts/test-cluster.sh'; exit 0; }
source "$makers/env.sh"
kubectl get --raw /readyz >/dev/null 2>&1 || { skip "no cluster runs in $C"; exit 0; }
for program in go java podman buildah; do
  command -v "$program" >/dev/null || { skip "there is no $program"; exit 0; }
done
step() { printf '\n-- %s\n' "$*"; }

operator=.cache/spark-operator
if [ ! -x "$operator/spark-operator" ]; then
  step 'The operator, built once'
  module=github.com/kubeflow/spark-operator/v2@v2.5.0
  found=$(cd /tmp && go mod download -json "$module") || { skip "$module is not served here"; exit 0; }
  # Its go.mod has replacements, which go install refuses: it is built where it is the main module.
  rm -rf "$operator" && mkdir -p .cache
  cp -R "$(node -p 'JSON.parse(process.argv[1]).Dir' "$found")" "$operator"
  chmod -R u+w "$operator"
  (cd "$operator" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o spark-operator ./cmd/operator)
fi

spark=$(environment spark 'pyspark>=4,<5') || exit 0
spark_home=$("$spark/bin/python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
spark_version=$("$spark/bin/python" -c 'import pyspark; print(pyspark.__version__)')

images=${FEDBATCH_CONTAINERS:-$C/img}
export CONTAINERS_CONF="$images/containers.conf" CONTAINERS_STORAGE_CONF="$images/storage.conf"
export XDG_RUNTIME_DIR="$images/run"
node_image=${FEDBATCH_NODE_IMAGE:-localhost/node:bookworm-slim}
podman image exists "$node_image" || { skip "there is no image $node_image in $images"; exit 0; }
work=$(mktemp -d) name=fedbatch-spark
pids=()
finish() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  kubectl delete mutatingwebhookconfiguration "$name-operator" --ignore-not-found >/dev/null || true
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

step 'The operator, beside the control plane'
kubectl create namespace "$name" >/dev/null
kubectl apply --server-side --force-conflicts --filename "$operator/config/crd/bases" >/dev/null
port=9465
kubectl apply --filename - >/dev/null <<END
apiVersion: v1
kind: Service
metadata: {name: operator, namespace: $name}
spec: {ports: [{port: 443, targetPort: $port}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: operator, namespace: $name, labels: {kubernetes.io/service-name: operator}}
addressType: IPv4
endpoints: [{addresses: ["$HOST_IP"], conditions: {ready: true}}]
ports: [{port: $port}]
---
# Volumes, users and the like of the application get into its pods by this.
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: $name-operator}
webhooks:
  - name: mutate-pod.sparkoperator.k8s.io
    admissionReviewVersions: [v1]
    clientConfig: {service: {name: operator, namespace: $name, path: /mutate--v1-pod}}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $name}}
    objectSelector: {matchLabels: {sparkoperator.k8s.io/launched-by-spark-operator: "true"}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
    sideEffects: None
  - name: mutate-sparkapplication.sparkoperator.k8s.io
    admissionReviewVersions: [v1]
    clientConfig:
      service: {name: operator, namespace: $name, path: /mutate-sparkoperator-k8s-io-v1beta2-sparkapplication}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $name}}
    rules:
      - apiGroups: [sparkoperator.k8s.io]
        apiVersions: [v1beta2]
        operations: [CREATE]
        resources: [sparkapplications]
    sideEffects: None
END
export SPARK_HOME=$spark_home KUBERNETES_SERVICE_HOST=$HOST_IP KUBERNETES_SERVICE_PORT=6443
"$operator/spark-operator" webhook start --namespaces "$name" --webhook-port "$port" --webhook-cert-dir "$work/certs" \
  --webhook-svc-name operator --webhook-svc-namespace "$name" --webhook-secret-namespace "$name" \
  --mutating-webhook-name "$name-operator" --health-probe-bind-address 127.0.0.1:9466 >"$work/webhook.log" 2>&1 &
pids+=($!)
"$operator/spark-operator" controller start --namespaces "$name" --health-probe-bind-address 127.0.0.1:9467 \
  >"$work/controller.log" 2>&1 &
pids+=($!)
unset SPARK_HOME KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT
for _ in $(seq 120); do
  bundle=$(kubectl get mutatingwebhookconfiguration "$name-operator" \
    -o 'jsonpath={.webhooks[*].clientConfig.caBundle}') || true
  [ -z "$bundle" ] || break
  sleep 1
done

step 'The application'
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
# The cluster has no DNS and one small node, and a small model makes a short test; all else is as it is in the file.
kubectl patch --local --type merge --output yaml --filename workflows/spark/spark-application.yaml --patch "
spec:
  arguments: [--volume=/mnt/spark, --data=digits, --clients=4, --rounds=3, --epochs=2, --batch=100, --model=mlp]
  sparkVersion: $spark_version
  sparkConf:
    spark.kubernetes.driver.master: https://$HOST_IP:6443
    spark.kubernetes.executor.useDriverPodIP: 'true'
  driver: {coreRequest: 100m, memoryOverhead: 1g}
  executor: {coreRequest: 100m, memoryOverhead: 1g}" | kubectl apply --namespace "$name" --filename - >/dev/null
state=''
for _ in $(seq 300); do
  state=$(kubectl get --namespace "$name" sparkapplication fedbatch \
    -o 'jsonpath={.status.applicationState.state}') || true
  case $state in COMPLETED | FAILED) break ;; esac
  sleep 2
done
kubectl logs --namespace "$name" fedbatch-driver --tail=-1 >"$work/driver.log" 2>/dev/null || true
tail -n 3 "$work/driver.log"
if [ "$state" != COMPLETED ]; then
  tail -n 30 "$work/driver.log" "$work/controller.log" "$work/webhook.log" >&2
  kubectl describe --namespace "$name" sparkapplication,pods >&2
  echo "The application did not complete: $state" >&2
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
