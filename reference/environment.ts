/** The environment variables that no option names: what each one does. */

/** By name. Those of options are found in the commands. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  FEDBATCH_CACHE_DIR:
    'directory of cached datasets (default: `fedbatch` below `XDG_CACHE_HOME`, or `~/.cache/fedbatch`)',
  FEDBATCH_RESULT_FILE:
    'file that a program writes its result into, or the sentence that says why there is none; in pods `/dev/termination-log`',
  FEDBATCH_SOFTWARE_GPU:
    '`1` lets `tensorflow/webgpu` run on a software driver, which is slow and good for checks only',
  FEDBATCH_TENSORFLOW:
    'directory whose `node_modules` holds the packages of TensorFlow.js, where they are not installed beside fedbatch',
  HTTPS_PROXY:
    'proxy to the API server of a cluster, with `HTTP_PROXY` and `NO_PROXY` as kubectl reads them; for downloads only from Node 24 on, with `NODE_USE_ENV_PROXY=1`',
  KUBECONFIG: 'configuration files of clusters, as kubectl reads them (default: `~/.kube/config`)',
  NO_COLOR: 'no colours in what `fedbatch doctor` prints',
};
