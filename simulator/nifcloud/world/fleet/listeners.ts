import { BALANCING, PROTOCOLS } from '../listeners.ts';
import type { Fields, Pattern } from './fields.ts';
import type { HealthCheck, Listener, SorryPage, Stickiness } from '../listeners.ts';
import type { Server } from '../servers.ts';

/** What only one kind of load balancer has; the rest of an entry is read alike. */
interface Kind {
  readonly keys: readonly string[];
  readonly checkKeys: readonly string[];
  readonly checks: Pattern;
  /** How long a client can stick to its server (docs/reference/nifcloud-api.md §4.3, §5.1). */
  readonly stickyMinutes: { readonly min: number; readonly max: number };
  readonly stickyKeys: readonly string[];
  readonly sorryKeys: readonly string[];
}

const COMMON_KEYS = [
  'port',
  'instancePort',
  'balancing',
  'healthCheck',
  'stickiness',
  'sorryPage',
  'sslCertificate',
  'targets',
];
const CHECK_KEYS = ['target', 'intervalSeconds', 'unhealthyThreshold'];

/** A listener of an L4 load balancer (nifcloud-api.md §4.1). */
export const L4_KIND: Kind = {
  keys: [...COMMON_KEYS, 'filter', 'sslPolicy'],
  checkKeys: CHECK_KEYS,
  checks: [/^(ICMP|TCP:[1-9]\d{0,4})$/, 'ICMP, TCP:<port>'],
  stickyMinutes: { min: 3, max: 60 },
  stickyKeys: ['periodMinutes'],
  sorryKeys: ['statusCode'],
};

/** A listener of an elastic load balancer (nifcloud-api.md §5.1). */
export const ELASTIC_KIND: Kind = {
  keys: [...COMMON_KEYS, 'protocol', 'description'],
  checkKeys: [...CHECK_KEYS, 'path', 'httpCodes'],
  checks: [/^(ICMP|(TCP|HTTPS?):[1-9]\d{0,4})$/, 'ICMP, TCP:<port>, HTTP:<port>, HTTPS:<port>'],
  stickyMinutes: { min: 3, max: 1440 },
  stickyKeys: ['method', 'periodMinutes'],
  sorryKeys: ['redirectUrl'],
};

const PORTS = { min: 1, max: 65_535 };
const METHODS = { source: 1, cookie: 2 } as const;
const BALANCINGS = { 'round-robin': BALANCING.roundRobin, 'least-connection': BALANCING.leastConnection } as const;

/** What listeners refer to. */
export interface Targets {
  /** By name. */
  readonly servers: ReadonlyMap<string, Server>;
  readonly certificates: readonly string[];
}

/** A listener. Its targets are out of service until a first check succeeds. */
export function readListener(fields: Fields, kind: Kind, { servers, certificates }: Targets): Listener {
  const loadBalancerPort = fields.integer('port', PORTS);
  const filter = fields.inner('filter', ['type', 'addresses']);
  return {
    protocol: kind.keys.includes('protocol') ? fields.oneOf('protocol', PROTOCOLS, 'TCP') : 'TCP',
    loadBalancerPort,
    instancePort: fields.integer('instancePort', PORTS, loadBalancerPort),
    balancingType: BALANCINGS[fields.oneOf('balancing', ['round-robin', 'least-connection'], 'round-robin')],
    description: fields.shortText('description', 500),
    healthCheck: readHealthCheck(fields.inner('healthCheck', kind.checkKeys), kind),
    filter: {
      type: filter.oneOf('type', ['allow', 'deny'], 'allow'),
      addresses: filter.addressesOrRanges('addresses'),
      emptied: false,
    },
    stickiness: readStickiness(fields, kind),
    sessionsClearedAtMs: 0,
    sorryPage: readSorryPage(fields, kind),
    sslCertificateId: fields.oneOf('sslCertificate', [...certificates, ''], ''),
    sslPolicyId: fields.text('sslPolicy', ''),
    targets: fields
      .many('targets', servers)
      .map(({ uniqueId }) => ({ serverUniqueId: uniqueId, state: 'OutOfService' })),
  };
}

function readHealthCheck(fields: Fields, { checks }: Kind): HealthCheck {
  const target = fields.matching('target', checks, 'ICMP');
  if (Number(target.split(':')[1] ?? 1) > PORTS.max) throw fields.refused('target', target, 'a port up to 65535');
  const ofHttp = target.startsWith('HTTP');
  const stray = ['path', 'httpCodes'].find((key) => fields.has(key) && !ofHttp);
  if (stray !== undefined) throw fields.refused(stray, '', 'a path and httpCodes for HTTP and HTTPS only');
  return {
    target,
    intervalSeconds: fields.integer('intervalSeconds', { min: 5, max: 300 }, 5),
    unhealthyThreshold: fields.integer('unhealthyThreshold', { min: 1, max: 10 }, 1),
    path: fields.matching('path', [/^(\/.{0,254})?$/, 'a path that begins with /, of up to 255 characters'], ''),
    httpCodes: fields.textsMatching('httpCodes', [/^[1-5]xx$/, '1xx, 2xx, 3xx, 4xx, 5xx']),
  };
}

function readStickiness(fields: Fields, { stickyKeys, stickyMinutes }: Kind): Stickiness {
  const sticky = fields.inner('stickiness', stickyKeys);
  if (!fields.has('stickiness')) return { enabled: false, method: METHODS.source, periodMinutes: 0 };
  return {
    enabled: true,
    method: METHODS[sticky.oneOf('method', ['source', 'cookie'], 'source')],
    periodMinutes: sticky.integer('periodMinutes', stickyMinutes),
  };
}

function readSorryPage(fields: Fields, { sorryKeys }: Kind): SorryPage {
  const page = fields.inner('sorryPage', sorryKeys);
  if (!fields.has('sorryPage')) return { enabled: false, statusCode: 0, redirectUrl: '' };
  if (sorryKeys.includes('redirectUrl')) {
    return {
      enabled: true,
      statusCode: 0,
      redirectUrl: page.matching('redirectUrl', [/^https?:\/\//, 'a URL of http or https']),
    };
  }
  const statusCode = page.integer('statusCode', { min: 200, max: 503, step: 1 }, 503);
  if (statusCode !== 200 && statusCode !== 503) throw page.refused('statusCode', String(statusCode), '200, 503');
  return { enabled: true, statusCode, redirectUrl: '' };
}
