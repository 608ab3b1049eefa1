import type { Service, ServicePort } from '../../kube/types.ts';
import type { L4LoadBalancer } from '../../nifcloud/l4-load-balancers.ts';
import type { LoadBalancerSettings, Problem } from './annotations.ts';
import { ANNOTATION_PREFIX, describeProblem, parseAnnotations } from './annotations.ts';
import type { Ports, WantedL4, WantedListener, WantedTarget } from './l4-plan.ts';
import { MAX_LISTENERS } from './l4-plan.ts';
import { sourceRanges } from './source-ranges.ts';

/** Length of a load balancer's name. Source: docs/reference/nifcloud-api.md §4.1. */
const NAME_LENGTH = 15;

/** The name of the load balancer of a Service, for both kinds (`docs/reference/ccm.md` E4). */
export function loadBalancerName(service: Service): string {
  const name = (service.metadata.uid ?? '').replaceAll('-', '').slice(0, NAME_LENGTH);
  if (name === '') throw new Error('the Service has no UID'); // an empty name would match other people's load balancers
  return name;
}

/** What a Service asks for: the part that can be obeyed, and what is to be said about the rest. */
export interface Request {
  readonly settings: LoadBalancerSettings;
  /** Those an L4 load balancer can serve, in the order of the Service. */
  readonly ports: readonly Ports[];
  /** Filter entries, empty = everyone; `undefined` = what is stated is no list. */
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

export function readRequest(service: Service): Request {
  const { settings, problems } = parseAnnotations(service.metadata.annotations ?? {});
  const spec = service.spec ?? {};
  const ports = spec.ports ?? [];
  const found = [...problems, ...ports.flatMap(portProblems)];
  if (ports.length < 1 || ports.length > MAX_LISTENERS) {
    const allowed = `an L4 load balancer has 1 to ${MAX_LISTENERS} ports`;
    found.push({ field: 'spec.ports', value: `${ports.length} ports`, allowed });
  }
  if (spec.loadBalancerIP) {
    const allowed = 'the cloud chooses the address; leave it empty';
    found.push({ field: 'spec.loadBalancerIP', value: spec.loadBalancerIP, allowed });
  }
  const allowed = sourceRanges(service);
  if ('field' in allowed) found.push(allowed);
  return {
    settings,
    ports: ports
      .filter((port) => portProblems(port, 0).length === 0)
      .map((port) => ({ loadBalancerPort: port.port, instancePort: port.nodePort ?? 0 })),
    allowed: 'field' in allowed ? undefined : allowed,
    problems: found,
    advice: adviceOn(service, settings),
  };
}

function portProblems(port: ServicePort, index: number): readonly Problem[] {
  const field = `spec.ports[${index}]`;
  const problems: Problem[] = [];
  const { protocol = 'TCP' } = port;
  if (protocol !== 'TCP') {
    problems.push({ field: `${field}.protocol`, value: protocol, allowed: 'an L4 load balancer forwards TCP only' });
  }
  if (!port.nodePort) {
    const allowed = 'a node port is needed; do not set allocateLoadBalancerNodePorts to false';
    problems.push({ field: `${field}.nodePort`, value: String(port.nodePort ?? ''), allowed });
  }
  return problems;
}

function adviceOn(service: Service, settings: LoadBalancerSettings): readonly string[] {
  const advice: string[] = [];
  if (service.spec?.sessionAffinity === 'ClientIP') {
    advice.push(
      'spec.sessionAffinity=ClientIP is obeyed inside the cluster only: the load balancer does not keep clients on one node',
    );
  }
  if (service.spec?.externalTrafficPolicy === 'Local' && settings.healthCheckProtocol === 'ICMP') {
    advice.push(
      `annotation ${ANNOTATION_PREFIX}healthcheck-protocol=ICMP with spec.externalTrafficPolicy=Local: ` +
        'nodes without a pod of the Service look healthy and drop what they get; TCP finds them',
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
  const { settings, problems } = request;
  if (problems.length > 0 && (seen === undefined || request.ports.length === 0)) throw new RefusedRequest(problems);
  const skipped = problems.map((problem) => `${describeProblem(problem)}; the load balancer keeps what it has`);
  if (seen !== undefined && settings.policyType !== undefined && settings.policyType !== seen.policyType) {
    const problem = { field: `${ANNOTATION_PREFIX}policy-type`, value: settings.policyType };
    skipped.push(
      describeProblem({ ...problem, allowed: `it is ${seen.policyType} since creation and can't be changed` }),
    );
  }
  const wanted = {
    networkVolumeMbps: settings.networkVolumeMbps,
    nextMonthAccountingType: settings.accountingType,
    policyType: settings.policyType,
    listeners: portsToServe(request.ports, seen).map((ports) => wantedListener(ports, request, targets)),
  };
  return { wanted, skipped };
}

/** Where there are too many, those that are served already go first. */
function portsToServe(ports: readonly Ports[], seen: L4LoadBalancer | undefined): readonly Ports[] {
  if (ports.length <= MAX_LISTENERS) return ports;
  const isServed = (one: Ports): boolean =>
    seen?.listeners.some((listener) => listener.loadBalancerPort === one.loadBalancerPort) ?? false;
  return [...ports.filter(isServed), ...ports.filter((one) => !isServed(one))].slice(0, MAX_LISTENERS);
}

function wantedListener(
  ports: Ports,
  { settings, allowed }: Request,
  targets: readonly WantedTarget[] | undefined,
): WantedListener {
  return {
    ...ports,
    balancingType: settings.balancingType,
    healthCheck: {
      // Also with externalTrafficPolicy: Local. TCP on the node port fails where no endpoint is local, whereas on
      // spec.healthCheckNodePort it always succeeds, and L4 load balancers can't check HTTP (docs/reference/ccm.md E7 #27).
      target: settings.healthCheckProtocol === 'ICMP' ? 'ICMP' : `TCP:${ports.instancePort}`,
      intervalSeconds: settings.healthCheckIntervalSeconds,
      unhealthyThreshold: settings.healthCheckUnhealthyThreshold,
    },
    targets,
    filter: allowed === undefined ? undefined : { type: 'allow', addresses: allowed },
  };
}
