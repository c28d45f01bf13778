# The images of fedbatch: one target for each. Build one with
#
#   docker build --target trainer-gpu --tag fedbatch/trainer-gpu .
ARG NODE_IMAGE=node:22-bookworm-slim

# The programs, compiled, with the packages that they need when they run.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts \
  # onnxruntime-node brings the libraries of every platform: an image keeps its own.
  && cd node_modules/onnxruntime-node/bin/napi-v6 \
  && find . -mindepth 2 -maxdepth 2 ! -path "./linux/$(node -p process.arch)" -exec rm -r {} +

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
FROM ${NODE_IMAGE} AS trainer-gpu
LABEL org.opencontainers.image.title="fedbatch trainer, GPU" \
  org.opencontainers.image.description="Trains one client of a federated-averaging job on an NVIDIA GPU." \
  org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
  FEDBATCH_TENSORFLOW=/opt/tensorflow \
  NVIDIA_VISIBLE_DEVICES=all \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app
COPY --from=tensorflow-cuda /opt/tensorflow /opt/tensorflow
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER 10001:10001
ENTRYPOINT ["node", "/app/dist/trainer/cli.js"]
CMD ["--help"]
