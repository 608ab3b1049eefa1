import { CLOUD_ENVIRONMENT } from '../daemon/environment.ts';
import { LOG_FORMATS } from '../daemon/logger.ts';
import { flag, helpText, parseFlags, UsageError } from '../daemon/flags.ts';
import type { FlagValues } from '../daemon/flags.ts';
import { DATA_SLOTS } from './linux/scsi.ts';
import { DRIVER_NAME, DRIVER_VERSION } from './names.ts';

/** The program's name, as the Go driver's image has it. */
export const PROGRAM = 'nifcloud-additional-storage-csi-driver';

/** What a process serves besides Identity; with `pre-stop` it serves nothing. */
const MODES = ['all', 'controller', 'node', 'pre-stop'] as const;

/**
 * Where the node server keeps its records by default: under the kubelet's plugins folder, which outlives pods and reboots, and not
 * beside the socket, where the specification allows no other file.
 */
const DEFAULT_STATE_DIR = `/var/lib/kubelet/plugins/${DRIVER_NAME}.state`;

const NO_EFFECT = 'accepted for compatibility with the Go driver; no effect';

/** The command line: that of the Go driver (docs/reference/csi.md C.1) and what this one adds. */
const FLAGS = {
  endpoint: flag.text({
    default: 'unix://tmp/csi.sock',
    value: 'URL',
    help: 'where to listen: unix:///PATH or tcp://HOST:PORT',
  }),
  mode: flag.choice({
    of: MODES,
    default: 'all',
    help: 'which services to offer besides Identity; pre-stop offers none and waits until a node that is drained has no volume (for a preStop hook)',
  }),
  kubeconfig: flag.text({
    value: 'FILE',
    help: 'how to reach the Kubernetes API; in a pod, its service account is used',
  }),
  master: flag.text({ value: 'URL', help: 'address of the Kubernetes API, in place of the one in the kubeconfig' }),
  'host-root': flag.text({ default: '/', value: 'DIR', help: "node: where the host's sys, dev and proc are found" }),
  'state-dir': flag.text({
    default: DEFAULT_STATE_DIR,
    value: 'DIR',
    help: 'node: where a record of each staged volume is kept, across restarts',
  }),
  'format-nonzero-new-disks': flag.boolean({
    help: 'node: format a disk on which nothing is recognised though it is not zeros, for a cloud whose new disks are not',
  }),
  'volume-attach-limit': flag.integer({
    min: 1,
    max: DATA_SLOTS,
    help: 'node: how many volumes it can have; without it, what other disks leave over of the slots of a server',
  }),
  'reserved-volume-attachments': flag.integer({
    min: 0,
    max: DATA_SLOTS - 1,
    help: 'node: how many slots of the server are kept for other disks, instead of counting those that are there',
  }),
  'http-endpoint': flag.text({
    value: 'HOST:PORT',
    help: 'serve /healthz, /livez, /readyz and /metrics there by HTTP',
  }),
  'cloud-api-qps': flag.number({
    default: 20,
    min: 0.1,
    help: 'requests a second to the NIFCLOUD API in the long run',
  }),
  'cloud-api-burst': flag.integer({ default: 40, min: 1, help: 'requests to the NIFCLOUD API at once' }),
  'nifcloud-sdk-debug-log': flag.boolean({ help: 'log every request to the NIFCLOUD API, without secrets' }),
  'logging-format': flag.choice({ of: LOG_FORMATS, default: 'text', help: 'format of log lines' }),
  v: flag.integer({ default: 0, min: 0, help: 'verbosity: 2 shows changes of disks, 4 every RPC' }),
  version: flag.boolean({ help: 'print the version as JSON and exit' }),
  help: flag.boolean({ help: 'print this text and exit' }),
  logtostderr: flag.boolean({ help: NO_EFFECT }),
  vmodule: flag.text({ help: NO_EFFECT }),
  'log-flush-frequency': flag.durationMs({ help: NO_EFFECT }),
};

export type Options = FlagValues<typeof FLAGS>;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): Options {
  const options = parseFlags(FLAGS, argv);
  if (options['volume-attach-limit'] !== undefined && options['reserved-volume-attachments'] !== undefined) {
    throw new UsageError(
      '--volume-attach-limit and --reserved-volume-attachments exclude each other: give one of them',
    );
  }
  return options;
}

/** The text of `--help`. */
export function help(): string {
  return helpText(
    {
      program: PROGRAM,
      summary: `CSI driver ${DRIVER_NAME}: NIFCLOUD additional storage for Kubernetes.`,
      environment: [
        ...CLOUD_ENVIRONMENT.map(([name, meaning]) => [name, `controller: ${meaning}`] as const),
        ['NIFCLOUD_ZONE', 'node: the zone of this node; else its labels, else the NIFCLOUD API tell'],
        ['NODE_NAME', "name of this node, which is its server's; needed by the node server"],
      ],
    },
    FLAGS,
  );
}

/** The text of `--version`: the Go driver's keys, as far as they mean something here. */
export function version(): string {
  return JSON.stringify(
    { driverVersion: DRIVER_VERSION, nodeVersion: process.version, platform: `${process.platform}/${process.arch}` },
    undefined,
    2,
  );
}
