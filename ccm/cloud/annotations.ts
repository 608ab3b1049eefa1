import {
  anything,
  byPort,
  httpCodes,
  httpPath,
  ipAddress,
  nothing,
  oneOf,
  redirectUrl,
  truth,
  twoIpAddresses,
  wholeNumber,
  word,
} from './annotation-values.ts';

/** The prefix of every annotation of ours on a Service (`docs/ccm-annotations.md`, `docs/reference/ccm.md` E2). */
export const ANNOTATION_PREFIX = 'service.beta.kubernetes.io/nifcloud-load-balancer-';

/** `lb` (L4, the default) or `elb` (elastic). */
export const TYPE_ANNOTATION = `${ANNOTATION_PREFIX}type`;

/** The two products. */
export type LoadBalancerKind = 'l4' | 'elastic';

/** Something a Service says that can't be obeyed. */
export interface Problem {
  /** Where it stands: an annotation's key or a path such as `spec.ports[0].protocol`. */
  readonly field: string;
  readonly value: string;
  readonly allowed: string;
}

/** `annotation k=v is invalid` is how the Go program opens these messages. */
export function describeProblem({ field, value, allowed }: Problem): string {
  return `${field.startsWith('spec.') ? '' : 'annotation '}${field}=${value} is invalid: ${allowed}`;
}

/** What the annotations state; `undefined` = not stated, or stated in a way that can't be obeyed. */
export interface LoadBalancerSettings {
  readonly networkVolumeMbps: number | undefined;
  /** `1` monthly, `2` pay per use. */
  readonly accountingType: string | undefined;
  /** TLS policy; can be chosen at creation only. L4. */
  readonly policyType: string | undefined;
  /** 1 round robin, 2 least connection. */
  readonly balancingType: number | undefined;
  /** HTTP and HTTPS: elastic. */
  readonly healthCheckProtocol: 'TCP' | 'ICMP' | 'HTTP' | 'HTTPS' | undefined;
  readonly healthCheckIntervalSeconds: number | undefined;
  /** Failed checks in a row before a server gets no more traffic. */
  readonly healthCheckUnhealthyThreshold: number | undefined;
  /** Of checks by HTTP and HTTPS. */
  readonly healthCheckPath: string | undefined;
  /** Good answers, of `1xx` to `5xx`. */
  readonly healthCheckHttpCodes: readonly string[] | undefined;
  /** Whether clients go to the same server for a while, and how they are told apart. */
  readonly stickinessMethod: 'source-ip' | 'cookie' | 'none' | undefined;
  readonly stickinessPeriodMinutes: number | undefined;
  /** Status of the page that stands in for servers on port 80. L4. */
  readonly sorryPage: '200' | '503' | 'none' | undefined;
  /** Where clients are sent when no server can answer, or `none`. Elastic. */
  readonly sorryPageUrl: string | undefined;
  /** Ids: one for the ports that need one, or by port. */
  readonly certificateIds: string | ReadonlyMap<number, string> | undefined;
  /** Of listeners, by port. Elastic. */
  readonly protocols: ReadonlyMap<number, ListenerProtocol> | undefined;
  /** Where it is made. Elastic. */
  readonly zone: string | undefined;
  /** Whether only servers in its zone get traffic. Elastic. */
  readonly sameZone: boolean | undefined;
  /** Its places in networks, one or two. Elastic. */
  readonly interfaces: readonly StatedInterface[] | undefined;
  /** On which interface clients come in. Elastic. */
  readonly vipNetwork: '1' | '2' | undefined;
}

/** What a listener for a TCP port can speak. */
export type ListenerProtocol = 'TCP' | 'HTTP' | 'HTTPS';

/** An interface as annotations have it. */
interface StatedInterface {
  readonly number: '1' | '2';
  readonly networkId: string;
  /** For a private LAN. */
  readonly address: string | undefined;
  /** For a private LAN: two. */
  readonly systemAddresses: readonly string[] | undefined;
}

/** What all annotations say together. */
export interface Annotations {
  readonly kind: LoadBalancerKind;
  /** Whether nothing may be changed. */
  readonly isPaused: boolean;
  readonly settings: LoadBalancerSettings;
  readonly problems: readonly Problem[];
}

/** Networks in which the cloud chooses the addresses (docs/reference/nifcloud-api.md §5.1). */
const COMMON_NETWORKS: readonly string[] = ['net-COMMON_GLOBAL', 'net-COMMON_PRIVATE'];

const TYPES = { lb: 'l4', elb: 'elastic' } as const;

/** Of each kind: values of annotations that both have. */
const RANGES = {
  l4: {
    volume: { most: 2000, allowed: 'allowed are 10, 20, 30, 40 and 100 to 2000 in steps of 100' },
    check: { values: ['TCP', 'ICMP'], allowed: 'allowed are TCP and ICMP' },
    sticky: { values: ['source-ip', 'none'], allowed: 'allowed are source-ip and none' },
    period: { most: 60, allowed: 'allowed are 3 to 60 (minutes)' },
  },
  elastic: {
    volume: { most: 500, allowed: 'allowed are 10, 20, 30, 40 and 100 to 500 in steps of 100' },
    check: { values: ['TCP', 'ICMP', 'HTTP', 'HTTPS'], allowed: 'allowed are TCP, ICMP, HTTP and HTTPS' },
    sticky: { values: ['source-ip', 'cookie', 'none'], allowed: 'allowed are source-ip, cookie and none' },
    period: { most: 1440, allowed: 'allowed are 3 to 1440 (minutes)' },
  },
} as const;

/** Reads one annotation. `undefined` when it is absent, and with a problem when it can't be obeyed. */
type Read = <T>(suffix: string, allowed: string, parse: (text: string) => T | undefined) => T | undefined;

/**
 * Reads the annotations of one Service. Values are taken as they are: no trimming, as in the Go program.
 *
 * @param present what there is: its kind counts where `type` is nothing that exists, so that a typing mistake replaces nothing
 */
export function parseAnnotations(
  annotations: Readonly<Record<string, string>>,
  present: LoadBalancerKind = 'l4',
): Annotations {
  const problems: Problem[] = [];
  const read: Read = (suffix, allowed, parse) => {
    const field = ANNOTATION_PREFIX + suffix;
    const text = annotations[field];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push({ field, value: text, allowed });
    return value;
  };
  const type = read('type', 'allowed are lb (L4) and elb (elastic)', oneOf('lb', 'elb'));
  const isStated = annotations[TYPE_ANNOTATION] !== undefined;
  const kind = type === undefined ? (isStated ? present : 'l4') : TYPES[type];
  const readOnly = (value: keyof typeof TYPES): Read => {
    if (kind === TYPES[value]) return read;
    return (suffix) => {
      read(suffix, `only enabled for ${TYPE_ANNOTATION}=${value}`, oneOf(''));
      return undefined;
    };
  };
  const lb = readOnly('lb');
  const elb = readOnly('elb');
  const require: Require = (suffix, reason) => {
    const field = ANNOTATION_PREFIX + suffix;
    if (annotations[field] === undefined) problems.push({ field, value: '', allowed: `required when ${reason}` });
  };
  const paused = read('paused', 'allowed are true and false', oneOf('true', 'false'));
  const settings = {
    ...readCommon(read, RANGES[kind]),
    policyType: lb('policy-type', 'allowed are standard and ats', oneOf('standard', 'ats')),
    sorryPage: lb('sorry-page-status-code', 'allowed are 200, 503 and none', oneOf('200', '503', 'none')),
    sorryPageUrl: elb('sorry-page-redirect-url', 'allowed are http:// and https:// URLs, and none', redirectUrl),
    zone: elb('zone', 'it is a zone such as east-11', word),
    sameZone: elb('same-zone', 'allowed are true and false', truth),
    protocols: elb(
      'protocols',
      'allowed are TCP, HTTP and HTTPS by port, such as 80=HTTP,443=HTTPS',
      byPort(oneOf('TCP', 'HTTP', 'HTTPS')),
    ),
    ...readHttpCheck(elb, annotations[`${ANNOTATION_PREFIX}healthcheck-protocol`]),
    ...readNetworks(elb, require),
  };
  // Whoever wrote something else there meant to stop it rather than not.
  const isPaused = paused === 'true' || (paused === undefined && `${ANNOTATION_PREFIX}paused` in annotations);
  return { kind, isPaused, settings, problems };
}

/** Has a problem when an annotation is absent. */
type Require = (suffix: string, reason: string) => void;

function readCommon(read: Read, { volume, check, sticky, period }: (typeof RANGES)[LoadBalancerKind]) {
  const certificates = 'allowed are the id of a certificate, and such as 443=<id>,8443=<id>';
  return {
    networkVolumeMbps: read('network-volume', volume.allowed, (text) => {
      const mbps = wholeNumber(10, volume.most)(text);
      return mbps !== undefined && (mbps % 100 === 0 || [10, 20, 30, 40].includes(mbps)) ? mbps : undefined;
    }),
    accountingType: read('accounting-type', 'allowed are 1 (monthly) and 2 (pay per use)', oneOf('1', '2')),
    balancingType: read('balancing-type', 'allowed are 1 (round robin) and 2 (least connection)', wholeNumber(1, 2)),
    healthCheckProtocol: read('healthcheck-protocol', check.allowed, oneOf(...check.values)),
    healthCheckIntervalSeconds: read('healthcheck-interval', 'allowed are 5 to 300 (seconds)', wholeNumber(5, 300)),
    healthCheckUnhealthyThreshold: read('healthcheck-unhealthy-threshold', 'allowed are 1 to 10', wholeNumber(1, 10)),
    stickinessMethod: read('session-stickiness-method', sticky.allowed, oneOf(...sticky.values)),
    stickinessPeriodMinutes: read('session-stickiness-period', period.allowed, wholeNumber(3, period.most)),
    certificateIds: read('ssl-certificate-id', certificates, (text) => word(text) ?? byPort(word)(text)),
  };
}

function readHttpCheck(read: Read, checkProtocol: string | undefined) {
  const isHttp = checkProtocol === 'HTTP' || checkProtocol === 'HTTPS';
  const needsHttp = `only enabled for ${ANNOTATION_PREFIX}healthcheck-protocol=HTTP and HTTPS`;
  const paths = isHttp ? 'it begins with / and has at most 255 characters and no spaces' : needsHttp;
  const codes = isHttp ? 'allowed are 1xx, 2xx, 3xx, 4xx and 5xx, with commas between them' : needsHttp;
  return {
    healthCheckPath: read('healthcheck-path', paths, isHttp ? httpPath : nothing),
    healthCheckHttpCodes: read('healthcheck-http-codes', codes, isHttp ? httpCodes : nothing),
  };
}

function readNetworks(read: Read, require: Require) {
  const interfaces = (['1', '2'] as const).flatMap((number) => readInterface(read, require, number));
  const numbers = interfaces.length === 0 ? (['1', '2'] as const) : interfaces.map((one) => one.number);
  const allowed = `allowed are the numbers of network interfaces that are stated: ${numbers.join(', ')}`;
  return {
    interfaces: interfaces.length === 0 ? undefined : interfaces,
    vipNetwork: read('vip-network', allowed, oneOf(...numbers)),
  };
}

function readInterface(read: Read, require: Require, number: StatedInterface['number']): readonly StatedInterface[] {
  const [id, ip, systemIps] = ['network-id', 'ip-address', 'system-ip-addresses'].map(
    (name) => `network-interface-${number}-${name}`,
  ) as [string, string, string];
  const networkId = read(id, 'allowed are net-COMMON_GLOBAL, net-COMMON_PRIVATE and the id of a private LAN', word);
  const isLan = networkId !== undefined && !COMMON_NETWORKS.includes(networkId);
  if (!isLan) {
    const allowed = `can be set only when ${ANNOTATION_PREFIX}${id} is a private LAN`;
    // Without a network addresses say nothing, as in the Go program.
    for (const suffix of [ip, systemIps]) read(suffix, allowed, networkId === undefined ? anything : oneOf(''));
    return networkId === undefined ? [] : [{ number, networkId, address: undefined, systemAddresses: undefined }];
  }
  for (const suffix of [ip, systemIps]) require(suffix, `${ANNOTATION_PREFIX}${id} is a private LAN`);
  const two = 'two IPv4 addresses are required, with a comma and no space between them';
  return [
    {
      number,
      networkId,
      address: read(ip, 'an IPv4 address is required', ipAddress),
      systemAddresses: read(systemIps, two, twoIpAddresses),
    },
  ];
}
