# The images of fedbatch: one target for each program. k8s/build-images.sh builds all of them; or, one by one:
#
#   docker build --target trainer --tag fedbatch/trainer .
ARG NODE_IMAGE=node:22-bookworm-slim

# The programs, compiled; and for each image a folder with what its programs need when they run, and nothing else.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build \
  # onnxruntime-node brings the libraries of every platform: an image keeps its own.
  && cd node_modules/onnxruntime-node/bin/napi-v6 \
  && find . -mindepth 2 -maxdepth 2 ! -path "./linux/$(node -p process.arch)" -exec rm -r {} +
RUN node scripts/image-files.mjs /images/splitter dist/splitter/cli.js \
  && node scripts/image-files.mjs /images/trainer dist/trainer/cli.js dist/trainer/init-cli.js dist/each/cli.js \
       dist/pipeline/in-turn-cli.js dist/stage-host.js \
  && node scripts/image-files.mjs /images/aggregator dist/aggregator/cli.js \
  && node scripts/image-files.mjs /images/evaluator dist/evaluator/cli.js \
  && node scripts/image-files.mjs /images/server dist/server/cli.js \
  && node scripts/image-files.mjs /images/pipeline dist/k8s/cli.js dist/pipeline/record/cli.js dist/report/cli.js dist/watch/cli.js

# What all images share. Node is process 1 of each: the programs handle SIGTERM themselves.
FROM ${NODE_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.vendor="fedbatch" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
# A volume that an engine makes at this place takes its owner from here.
RUN chown 10001:10001 /mnt
USER 10001:10001
CMD ["--help"]

FROM base AS splitter
LABEL org.opencontainers.image.title="fedbatch splitter" \
  org.opencontainers.image.description="Deals a dataset to the clients of a federated-averaging job."
COPY --from=build /images/splitter ./
ENTRYPOINT ["node", "/app/dist/splitter/cli.js"]

FROM base AS trainer
LABEL org.opencontainers.image.title="fedbatch trainer" \
  org.opencontainers.image.description="Trains one client of a federated-averaging job."
COPY --from=build /images/trainer ./
ENTRYPOINT ["node", "/app/dist/trainer/cli.js"]

FROM base AS aggregator
LABEL org.opencontainers.image.title="fedbatch aggregator" \
  org.opencontainers.image.description="Makes the next global model of the clients' updates."
COPY --from=build /images/aggregator ./
ENTRYPOINT ["node", "/app/dist/aggregator/cli.js"]

FROM base AS evaluator
LABEL org.opencontainers.image.title="fedbatch evaluator" \
  org.opencontainers.image.description="Tests the accuracy of a model on held-out examples."
COPY --from=build /images/evaluator ./
ENTRYPOINT ["node", "/app/dist/evaluator/cli.js"]

FROM base AS server
LABEL org.opencontainers.image.title="fedbatch server" \
  org.opencontainers.image.description="Serves a model: a web page to try it, and an API."
COPY --from=build /images/server ./
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5000/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/server/cli.js"]

FROM base AS pipeline
LABEL org.opencontainers.image.title="fedbatch pipeline" \
  org.opencontainers.image.description="Runs a federated-averaging job on a Kubernetes cluster, from inside it."
COPY --from=build /images/pipeline ./
ENTRYPOINT ["node", "/app/dist/k8s/cli.js"]

# @tensorflow/tfjs-node-gpu, compiled against PyPI's CUDA build of TensorFlow, with the CUDA libraries beside it. The
# package's own libtensorflow 2.9 wants CUDA 11.2 and knows no card that is newer than Ampere.
FROM ${NODE_IMAGE} AS tensorflow-cuda
RUN apt-get update \
  && apt-get install --yes --no-install-recommends g++ python3-pip \
  && rm -rf /var/lib/apt/lists/*
COPY scripts/build-tfjs-node.sh /build/scripts/
RUN /build/scripts/build-tfjs-node.sh --gpu /opt/tensorflow \
  && rm -rf /opt/tensorflow/libtensorflow/tensorflow/include

# Trains on NVIDIA cards. The driver comes from the host (NVIDIA's container toolkit), everything else is in here.
FROM trainer AS trainer-gpu
LABEL org.opencontainers.image.title="fedbatch trainer, GPU" \
  org.opencontainers.image.description="Trains one client of a federated-averaging job on an NVIDIA GPU."
ENV FEDBATCH_TENSORFLOW=/opt/tensorflow \
  NVIDIA_VISIBLE_DEVICES=all \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=tensorflow-cuda /opt/tensorflow /opt/tensorflow
