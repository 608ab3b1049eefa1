/** The prefix of every annotation of ours on a Service (`docs/reference/ccm.md` E2). */
export const ANNOTATION_PREFIX = 'service.beta.kubernetes.io/nifcloud-load-balancer-';

/** `lb` (L4, the default) or `elb` (elastic). */
export const TYPE_ANNOTATION = `${ANNOTATION_PREFIX}type`;

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
  /** TLS policy; can be chosen at creation only. */
  readonly policyType: string | undefined;
  /** 1 round robin, 2 least connection. */
  readonly balancingType: number | undefined;
  readonly healthCheckProtocol: 'TCP' | 'ICMP' | undefined;
  readonly healthCheckIntervalSeconds: number | undefined;
  /** Failed checks in a row before a server gets no more traffic. */
  readonly healthCheckUnhealthyThreshold: number | undefined;
}

/** Keys that make sense on elastic load balancers only. */
const ELASTIC_ONLY = [
  'network-interface-1-network-id',
  'network-interface-1-ip-address',
  'network-interface-1-system-ip-addresses',
  'network-interface-2-network-id',
  'network-interface-2-ip-address',
  'network-interface-2-system-ip-addresses',
  'vip-network',
] as const;

/** Reads the annotations of one Service. Values are taken as they are: no trimming, as in the Go program. */
export function parseAnnotations(annotations: Readonly<Record<string, string>>): {
  readonly settings: LoadBalancerSettings;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const read = <T>(suffix: string, allowed: string, parse: (text: string) => T | undefined): T | undefined => {
    const field = ANNOTATION_PREFIX + suffix;
    const text = annotations[field];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) problems.push({ field, value: text, allowed });
    return value;
  };

  read('type', 'allowed is lb; elastic load balancers (elb) are not built yet', oneOf('lb'));
  if (annotations[TYPE_ANNOTATION] !== 'elb') {
    for (const suffix of ELASTIC_ONLY) {
      read(suffix, `only allowed with ${TYPE_ANNOTATION}=elb`, oneOf(''));
    }
  }
  const settings: LoadBalancerSettings = {
    networkVolumeMbps: read('network-volume', 'allowed are 10, 20, 30, 40 and 100 to 2000 in steps of 100', (text) => {
      const mbps = wholeNumber(10, 2000)(text);
      return mbps !== undefined && (mbps % 100 === 0 || [10, 20, 30, 40].includes(mbps)) ? mbps : undefined;
    }),
    accountingType: read('accounting-type', 'allowed are 1 (monthly) and 2 (pay per use)', oneOf('1', '2')),
    policyType: read('policy-type', 'allowed are standard and ats', oneOf('standard', 'ats')),
    balancingType: read('balancing-type', 'allowed are 1 (round robin) and 2 (least connection)', wholeNumber(1, 2)),
    healthCheckProtocol: read('healthcheck-protocol', 'allowed are TCP and ICMP', oneOf('TCP', 'ICMP')),
    healthCheckIntervalSeconds: read('healthcheck-interval', 'allowed are 5 to 300 (seconds)', wholeNumber(5, 300)),
    healthCheckUnhealthyThreshold: read('healthcheck-unhealthy-threshold', 'allowed are 1 to 10', wholeNumber(1, 10)),
  };
  return { settings, problems };
}

function oneOf<T extends string>(...allowed: readonly T[]): (text: string) => T | undefined {
  return (text) => allowed.find((one) => one === text);
}

function wholeNumber(min: number, max: number): (text: string) => number | undefined {
  return (text) => (/^\d+$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined);
}
