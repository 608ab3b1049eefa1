import { flag, type FlagSpec, type FlagSpecs } from '../daemon/flags.ts';
import { LOG_FORMATS } from '../daemon/logger.ts';
import { CIPHER_SUITES, TLS_VERSIONS } from '../daemon/tls.ts';

/*
 * Every flag of cloud-provider v0.36 with its default (`docs/reference/ccm.md` A7), and ours. Where a default differs, the help
 * says so. A flag in `NO_EFFECT` is accepted, so that the arguments of the Go program start this one.
 */

const PROVIDER = {
  'cloud-provider': flag.text({ default: '', value: 'NAME', help: 'Must be nifcloud' }),
  'cloud-config': flag.text({ default: '', value: 'FILE', help: 'Must be readable; what it says is ignored' }),
  'cluster-name': flag.text({ default: 'kubernetes', value: 'NAME', help: 'Tells the clusters of one account apart' }),
  'cloud-api-qps': flag.number({ default: 20, min: 0.1, help: 'Requests a second to the NIFCLOUD API' }),
  'cloud-api-burst': flag.integer({ default: 40, min: 1, help: 'Requests at once to the NIFCLOUD API' }),
};

const CONTROLLERS = {
  controllers: flag.list({
    default: ['*'],
    value: 'NAME',
    help:
      "Controllers to run: '*' is all, 'name' enables, '-name' disables; cloud-node-controller, " +
      'cloud-node-lifecycle-controller, service-lb-controller, node-route-controller',
  }),
  'controller-start-interval': flag.durationMs({ default: 0, help: 'Pause between the starts of controllers' }),
  'use-service-account-credentials': flag.boolean({
    help: "Each controller acts as the kube-system service account of its own name, not as this pod's",
  }),
  'dry-run': flag.boolean({
    help: 'Change nothing in the cloud: log what would be done, for Services also in an event',
  }),
};

const NODES = {
  'concurrent-node-syncs': flag.integer({
    default: 10,
    min: 1,
    help: 'Nodes worked on at once; those share their call of the cloud (the Go program: 1)',
  }),
  'concurrent-node-status-updates': flag.integer({
    default: 0,
    min: 0,
    help: 'Nodes whose addresses are looked at at once; 0 = as many as --concurrent-node-syncs',
  }),
  'node-status-update-frequency': flag.durationMs({ default: 300_000, help: 'Pause between looks at addresses' }),
  'node-monitor-period': flag.durationMs({
    default: 5_000,
    help: 'Pause between looks for vanished and stopped nodes',
  }),
  'node-deletion-min-age': flag.durationMs({
    default: 120_000,
    help: 'A node younger than this is not deleted although its server is gone: the cloud may not show it yet',
  }),
};

const SERVICES = {
  'concurrent-service-syncs': flag.integer({
    default: 10,
    min: 1,
    help: 'Services worked on at once (the Go program: 1)',
  }),
  'load-balancer-class': flag.text({
    default: '',
    value: 'CLASS',
    help: 'Serve the Services of this spec.loadBalancerClass too; empty: only those without one',
  }),
  'load-balancer-resync-period': flag.durationMs({
    default: 600_000,
    help: 'How often each load balancer is compared with its Service although nothing changed; 0 = never',
  }),
};

const ROUTES = {
  'configure-cloud-routes': flag.boolean({
    default: true,
    help: 'Whether routes are configured where NIFCLOUD_ROUTE_TABLE_ID is set',
  }),
  'cluster-cidr': flag.text({
    default: '',
    value: 'CIDR',
    help: 'Addresses of pods; needed where routes are configured',
  }),
  'route-reconciliation-period': flag.durationMs({ default: 10_000, help: 'Pause between looks at routes' }),
};

const KUBERNETES_API = {
  kubeconfig: flag.text({ default: '', value: 'FILE', help: 'Kubeconfig file; none: that of the pod' }),
  master: flag.text({ default: '', value: 'URL', help: 'API server, overrides the one in the kubeconfig' }),
  'kube-api-qps': flag.number({
    default: 20,
    min: 0.1,
    help: 'Requests a second to the Kubernetes API, for each client',
  }),
  'kube-api-burst': flag.integer({ default: 30, min: 1, help: 'Requests at once to the Kubernetes API' }),
};

const LEADER_ELECTION = {
  'leader-elect': flag.boolean({ default: true, help: 'Of several replicas only the one that holds the lease works' }),
  'leader-elect-lease-duration': flag.durationMs({
    default: 15_000,
    help: 'How long others wait after the last renewal before they take over',
  }),
  'leader-elect-renew-deadline': flag.durationMs({
    default: 10_000,
    help: 'How long a leader tries to renew before it gives up; less than the lease duration',
  }),
  'leader-elect-retry-period': flag.durationMs({ default: 2_000, help: 'Pause between tries' }),
  'leader-elect-resource-lock': flag.choice({ of: ['leases'], default: 'leases', help: 'Kind of the lock' }),
  'leader-elect-resource-name': flag.text({
    default: 'cloud-controller-manager',
    value: 'NAME',
    help: 'Name of the lease, shared with the Go program',
  }),
  'leader-elect-resource-namespace': flag.text({
    default: 'kube-system',
    value: 'NAME',
    help: 'Namespace of the lease',
  }),
  'enable-leader-migration': flag.boolean({ help: 'Must be false: there is no in-tree provider to migrate from' }),
};

const SERVING = {
  'secure-port': flag.integer({
    default: 10258,
    min: 0,
    max: 65535,
    help: 'HTTPS port of /healthz, /livez, /readyz, /metrics and /configz; 0 = none',
  }),
  'bind-address': flag.text({
    default: '0.0.0.0',
    value: 'ADDRESS',
    help: 'Address to serve HTTPS on; 0.0.0.0 or :: is all, of both families',
  }),
  'cert-dir': flag.text({
    default: '',
    value: 'FOLDER',
    help: 'Where the self-signed certificate is kept that is made where no files are given; empty: in memory',
  }),
  'tls-cert-file': flag.text({ default: '', value: 'FILE', help: 'Certificate to serve; read again when it changes' }),
  'tls-private-key-file': flag.text({ default: '', value: 'FILE', help: 'Its key' }),
  'tls-min-version': flag.choice({
    of: TLS_VERSIONS,
    default: '',
    help: 'Oldest TLS version to serve (Node.js: VersionTLS12)',
  }),
  'tls-cipher-suites': flag.list({
    default: [],
    value: 'NAME',
    of: CIPHER_SUITES,
    help: 'Cipher suites up to TLS 1.2, by the names of Go; empty: those of Node.js',
  }),
};

const AUTHENTICATION = {
  'authentication-kubeconfig': flag.text({
    default: '',
    value: 'FILE',
    help: 'Kubeconfig file for asking who a request is from; none: the pod itself, and outside of one all are anonymous',
  }),
  'authentication-skip-lookup': flag.boolean({ help: 'Do not read extension-apiserver-authentication in the cluster' }),
  'authentication-tolerate-lookup-failure': flag.boolean({ help: 'Start although it cannot be read' }),
  'authentication-token-webhook-cache-ttl': flag.durationMs({
    default: 10_000,
    help: 'How long the answer about a bearer token counts',
  }),
  'client-ca-file': flag.text({
    default: '',
    value: 'FILE',
    help: 'Who signs client certificates; empty: as the cluster says. Certificates signed by intermediates need those in it',
  }),
  'requestheader-client-ca-file': flag.text({
    default: '',
    value: 'FILE',
    help: 'Who signs the certificates of front proxies; empty: all about those is as the cluster says',
  }),
  'requestheader-allowed-names': flag.list({
    default: [],
    value: 'NAME',
    help: 'Common names of front proxies; empty: any',
  }),
  'requestheader-username-headers': flag.list({
    default: ['x-remote-user'],
    value: 'HEADER',
    help: 'Name of the user',
  }),
  'requestheader-uid-headers': flag.list({ default: [], value: 'HEADER', help: "The user's uid" }),
  'requestheader-group-headers': flag.list({ default: ['x-remote-group'], value: 'HEADER', help: "The user's groups" }),
  'requestheader-extra-headers-prefix': flag.list({
    default: ['x-remote-extra-'],
    value: 'PREFIX',
    help: 'Begin of headers with more about the user',
  }),
};

const AUTHORIZATION = {
  'authorization-kubeconfig': flag.text({
    default: '',
    value: 'FILE',
    help: 'Kubeconfig file for asking what a user may do; none: the pod itself, and outside of one nothing is allowed',
  }),
  'authorization-always-allow-paths': flag.list({
    default: ['/healthz', '/readyz', '/livez'],
    value: 'PATH',
    help: 'HTTPS paths for everybody; a * at the end stands for anything',
  }),
  'authorization-webhook-cache-authorized-ttl': flag.durationMs({ default: 10_000, help: 'How long a yes counts' }),
  'authorization-webhook-cache-unauthorized-ttl': flag.durationMs({ default: 10_000, help: 'How long a no counts' }),
};

const LOGGING = {
  v: flag.integer({ default: 0, min: 0, help: 'Log level: 2 for operators, 4 for debugging' }),
  'logging-format': flag.choice({ of: LOG_FORMATS, default: 'text', help: 'Format of the log on stderr' }),
};

const inert = {
  text: (preset = ''): FlagSpec<string> => flag.text({ default: preset, help: '' }),
  boolean: (preset = false): FlagSpec<boolean> => flag.boolean({ default: preset, help: '' }),
  integer: (preset = 0): FlagSpec<number> => flag.integer({ default: preset, min: 0, help: '' }),
  duration: (preset = 0): FlagSpec<number> => flag.durationMs({ default: preset, help: '' }),
  list: (): FlagSpec<readonly string[]> => flag.list({ default: [], help: '' }),
};

/** What stands for nothing here: other cloud features, HTTP/2, webhooks, profiling of Go, klog's buffers. */
export const NO_EFFECT = {
  'min-resync-period': inert.duration(43_200_000),
  'kube-api-content-type': inert.text('application/vnd.kubernetes.protobuf'),
  'allocate-node-cidrs': inert.boolean(),
  'cidr-allocator-type': inert.text('RangeAllocator'),
  'allow-untagged-cloud': inert.boolean(),
  'external-cloud-volume-plugin': inert.text(),
  'node-sync-period': inert.duration(),
  'feature-gates': flag.gates({ help: '' }),
  'leader-migration-config': inert.text(),
  profiling: inert.boolean(true),
  'contention-profiling': inert.boolean(),
  'tls-sni-cert-key': inert.list(),
  'tls-curve-preferences': inert.list(),
  'disable-http2-serving': inert.boolean(),
  'http2-max-streams-per-connection': inert.integer(),
  'permit-port-sharing': inert.boolean(),
  'permit-address-sharing': inert.boolean(),
  webhooks: inert.list(),
  'webhook-secure-port': flag.integer({ default: 10260, min: 0, max: 65535, help: '' }),
  'webhook-bind-address': inert.text('0.0.0.0'),
  'webhook-cert-dir': inert.text(),
  'webhook-tls-cert-file': inert.text(),
  'webhook-tls-private-key-file': inert.text(),
  'webhook-tls-cipher-suites': inert.list(),
  'webhook-tls-min-version': inert.text(),
  'webhook-tls-curve-preferences': inert.list(),
  'webhook-tls-sni-cert-key': inert.list(),
  'webhook-disable-http2-serving': inert.boolean(),
  vmodule: inert.text(),
  'log-flush-frequency': inert.duration(5_000),
  'log-text-split-stream': inert.boolean(),
  'log-text-info-buffer-size': inert.text('0'),
  'log-json-split-stream': inert.boolean(),
  'log-json-info-buffer-size': inert.text('0'),
};

const PRINTED = {
  version: flag.boolean({ help: 'Print the version and exit' }),
  help: flag.boolean({ help: 'Print this text and exit' }),
};

export const FLAGS = {
  ...PROVIDER,
  ...CONTROLLERS,
  ...NODES,
  ...SERVICES,
  ...ROUTES,
  ...KUBERNETES_API,
  ...LEADER_ELECTION,
  ...SERVING,
  ...AUTHENTICATION,
  ...AUTHORIZATION,
  ...LOGGING,
  ...NO_EFFECT,
  ...PRINTED,
};

/** The flags as `--help` shows them. */
export const FLAG_GROUPS: readonly (readonly [title: string, flags: FlagSpecs])[] = [
  ['Cloud', PROVIDER],
  ['Controllers', CONTROLLERS],
  ['Nodes', NODES],
  ['Services', SERVICES],
  ['Routes', ROUTES],
  ['Kubernetes API', KUBERNETES_API],
  ['Leader election', LEADER_ELECTION],
  ['Serving', SERVING],
  ['Authentication of those who read the pages', AUTHENTICATION],
  ['Authorization of those who read the pages', AUTHORIZATION],
  ['Logging', LOGGING],
  ['Other', PRINTED],
];
