import type { Service, ServicePort } from '../../kube/types.ts';
import type { L4LoadBalancer } from '../../nifcloud/l4-load-balancers.ts';
import type { LoadBalancerKind, LoadBalancerSettings, Problem } from './annotations.ts';
import { ANNOTATION_PREFIX, describeProblem, parseAnnotations } from './annotations.ts';
import type { WantedL4, WantedListener, WantedTarget } from './l4-plan.ts';
import { MAX_LISTENERS } from './l4-plan.ts';
import { optionsOfPorts, type RequestedPort, type ServedPort } from './port-options.ts';
import { sourceRanges, sourceRangesField } from './source-ranges.ts';

/** Length of a load balancer's name. Source: docs/reference/nifcloud-api.md §4.1. */
const NAME_LENGTH = 15;

/** The name of the load balancer of a Service, for both kinds (`docs/reference/ccm.md` E4). */
export function loadBalancerName(service: Service): string {
  const name = (service.metadata.uid ?? '').replaceAll('-', '').slice(0, NAME_LENGTH);
  if (name === '') throw new Error('the Service has no UID'); // an empty name would match other people's load balancers
  return name;
}

/** Whether `loadBalancerName`, or the Go program's, which is the same, may have given this name. */
export function isGivenName(name: string): boolean {
  return /^[0-9a-f]+$/.test(name) && name.length === NAME_LENGTH;
}

/** What a Service asks for: the part that can be obeyed, and what is to be said about the rest. */
export interface Request {
  readonly kind: LoadBalancerKind;
  /** Whether nothing may be changed. */
  readonly isPaused: boolean;
  readonly settings: LoadBalancerSettings;
  /** Those that a load balancer of this kind can serve, in the order of the Service. */
  readonly ports: readonly RequestedPort[];
  /** Where kube-proxy says whether a node has an endpoint; `undefined` unless only such nodes shall get traffic. */
  readonly localCheckPort: number | undefined;
  /** Filter entries, empty = everyone; `undefined` = what is stated is no list. Elastic load balancers have no filter. */
  readonly allowed: readonly string[] | undefined;
  /** They refuse a creation. Of a load balancer that exists only the attribute in question is left alone. */
  readonly problems: readonly Problem[];
  /** What is obeyed but may not do what the user hopes. */
  readonly advice: readonly string[];
}

/** Thrown when a load balancer can't be made as asked; only a change of the Service helps. */
export class RefusedRequest extends Error {
  override readonly name = 'RefusedRequest';

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('; '));
  }
}

/**
 * Reads what a Service asks for.
 *
 * @param present the kind of what there is: it counts where the kind asked for is nothing that exists
 */
export function readRequest(service: Service, present: LoadBalancerKind = 'l4'): Request {
  const { kind, isPaused, settings, problems } = parseAnnotations(service.metadata.annotations ?? {}, present);
  const spec = service.spec ?? {};
  const stated = spec.ports ?? [];
  const problemsOf = (port: ServicePort, index: number): readonly Problem[] => portProblems(port, index, kind);
  const served = stated.filter((port, index) => problemsOf(port, index).length === 0).map(servedPort);
  const { ports, problems: unfit } = optionsOfPorts(kind, settings, served);
  const allowed = sourceRanges(service);
  return {
    kind,
    isPaused,
    settings,
    ports,
    localCheckPort: spec.externalTrafficPolicy === 'Local' ? spec.healthCheckNodePort || undefined : undefined,
    allowed: 'field' in allowed ? undefined : allowed,
    problems: [...problems, ...stated.flatMap(problemsOf), ...unfit, ...specProblems(service, kind, allowed)],
    advice: adviceOn(service, settings, ports),
  };
}

function servedPort(port: ServicePort): ServedPort {
  const { port: loadBalancerPort, nodePort: instancePort = 0, protocol } = port;
  return { loadBalancerPort, instancePort, transport: protocol === 'UDP' ? 'UDP' : 'TCP' };
}

function specProblems(
  service: Service,
  kind: LoadBalancerKind,
  ranges: readonly string[] | Problem,
): readonly Problem[] {
  const { ports = [], loadBalancerIP } = service.spec ?? {};
  const problems: Problem[] = [];
  if (ports.length < 1 || ports.length > MAX_LISTENERS) {
    const allowed = `${KIND_TEXTS[kind]} has 1 to ${MAX_LISTENERS} ports`;
    problems.push({ field: 'spec.ports', value: `${ports.length} ports`, allowed });
  }
  if (loadBalancerIP) {
    const allowed = 'the cloud chooses the address; leave it empty';
    problems.push({ field: 'spec.loadBalancerIP', value: loadBalancerIP, allowed });
  }
  if ('field' in ranges) problems.push(ranges);
  if (kind === 'elastic' && !('field' in ranges) && ranges.length > 0) {
    const allowed =
      'an elastic load balancer lets everyone in, for it has no filter; remove them, or use an L4 load balancer';
    problems.push({ field: sourceRangesField(service), value: ranges.join(','), allowed });
  }
  return problems;
}

const KIND_TEXTS = { l4: 'an L4 load balancer', elastic: 'an elastic load balancer' } as const;

function portProblems(port: ServicePort, index: number, kind: LoadBalancerKind): readonly Problem[] {
  const field = `spec.ports[${index}]`;
  const problems: Problem[] = [];
  const { protocol = 'TCP' } = port;
  const forwarded: readonly string[] = kind === 'l4' ? ['TCP'] : ['TCP', 'UDP'];
  if (!forwarded.includes(protocol)) {
    const allowed = `${KIND_TEXTS[kind]} forwards ${forwarded.join(' and ')} only`;
    problems.push({ field: `${field}.protocol`, value: protocol, allowed });
  }
  if (!port.nodePort) {
    const allowed = 'a node port is needed; do not set allocateLoadBalancerNodePorts to false';
    problems.push({ field: `${field}.nodePort`, value: String(port.nodePort ?? ''), allowed });
  }
  return problems;
}

function adviceOn(
  service: Service,
  { healthCheckProtocol, stickinessMethod = 'none' }: LoadBalancerSettings,
  ports: readonly RequestedPort[],
): readonly string[] {
  const advice: string[] = [];
  if (service.spec?.sessionAffinity === 'ClientIP' && stickinessMethod === 'none') {
    advice.push(
      'spec.sessionAffinity=ClientIP is obeyed inside the cluster only: what keeps clients of the load balancer on one node is ' +
        `annotation ${ANNOTATION_PREFIX}session-stickiness-method=source-ip`,
    );
  }
  if (service.spec?.externalTrafficPolicy === 'Local' && healthCheckProtocol === 'ICMP') {
    advice.push(
      `annotation ${ANNOTATION_PREFIX}healthcheck-protocol=ICMP with spec.externalTrafficPolicy=Local: ` +
        'nodes without a pod of the Service look healthy and drop what they get; TCP finds them',
    );
  }
  const isPing = healthCheckProtocol === undefined || healthCheckProtocol === 'ICMP';
  if (!isPing && ports.some((port) => port.transport === 'UDP')) {
    advice.push(
      `annotation ${ANNOTATION_PREFIX}healthcheck-protocol=${healthCheckProtocol} is for TCP ports: whether UDP answers can't be checked`,
    );
  }
  return advice;
}

/**
 * The load balancer that `request` describes, and what is to be said where the one that exists can't follow.
 *
 * @param targets those of all listeners; `undefined` = they stay as they are
 * @throws RefusedRequest when nothing exists yet and there are problems, or when none of the ports can be served
 */
export function wantedL4(
  request: Request,
  targets: readonly WantedTarget[] | undefined,
  seen: L4LoadBalancer | undefined,
): { readonly wanted: WantedL4; readonly skipped: readonly string[] } {
  const { settings } = request;
  const skipped = mercy(request, seen);
  if (seen !== undefined && settings.policyType !== undefined && settings.policyType !== seen.policyType) {
    skipped.push(unchangeable('policy-type', settings.policyType, seen.policyType));
  }
  const isServed = (port: RequestedPort): boolean =>
    seen?.listeners.some((listener) => listener.loadBalancerPort === port.loadBalancerPort) ?? false;
  const wanted = {
    networkVolumeMbps: settings.networkVolumeMbps,
    nextMonthAccountingType: settings.accountingType,
    policyType: settings.policyType,
    listeners: portsToServe(request.ports, isServed).map((port) => wantedListener(port, request, targets)),
  };
  return { wanted, skipped };
}

/**
 * What is to be said about the problems of a request where there is something that goes on being served.
 *
 * @throws RefusedRequest where there is nothing, or nothing that can be served
 */
export function mercy({ problems, ports }: Request, seen: object | undefined): string[] {
  if (problems.length > 0 && (seen === undefined || ports.length === 0)) throw new RefusedRequest(problems);
  return problems.map((problem) => `${describeProblem(problem)}; the load balancer keeps what it has`);
}

/** Says that an annotation asks for what can be chosen at creation only. */
export function unchangeable(suffix: string, value: string, present: string): string {
  const allowed = `it is ${present} since creation and can't be changed`;
  return describeProblem({ field: ANNOTATION_PREFIX + suffix, value, allowed });
}

/** Where there are too many, those that are served already go first. */
export function portsToServe(
  ports: readonly RequestedPort[],
  isServed: (port: RequestedPort) => boolean,
): readonly RequestedPort[] {
  if (ports.length <= MAX_LISTENERS) return ports;
  return [...ports.filter(isServed), ...ports.filter((one) => !isServed(one))].slice(0, MAX_LISTENERS);
}

function wantedListener(
  port: RequestedPort,
  { settings, allowed }: Request,
  targets: readonly WantedTarget[] | undefined,
): WantedListener {
  const { loadBalancerPort, instancePort, certificateId, sorryPage } = port;
  return {
    loadBalancerPort,
    instancePort,
    balancingType: settings.balancingType,
    healthCheck: {
      // Also with externalTrafficPolicy: Local. TCP on the node port fails where no endpoint is local, whereas on
      // spec.healthCheckNodePort it always succeeds, and L4 load balancers can't check HTTP (docs/reference/ccm.md E7 #27).
      target: settings.healthCheckProtocol === 'ICMP' ? 'ICMP' : `TCP:${instancePort}`,
      intervalSeconds: settings.healthCheckIntervalSeconds,
      unhealthyThreshold: settings.healthCheckUnhealthyThreshold,
    },
    targets,
    filter: allowed === undefined ? undefined : { type: 'allow', addresses: allowed },
    stickiness: wantedStickiness(settings),
    sorryPage: sorryPage === undefined || sorryPage === 'none' ? sorryPage && 'off' : { statusCode: Number(sorryPage) },
    certificateId,
  };
}

function wantedStickiness({
  stickinessMethod,
  stickinessPeriodMinutes,
}: LoadBalancerSettings): WantedListener['stickiness'] {
  if (stickinessMethod === 'none') return 'off';
  const isStated = stickinessMethod !== undefined || stickinessPeriodMinutes !== undefined;
  return isStated ? { periodMinutes: stickinessPeriodMinutes } : undefined;
}
