import { at, equal, fill, type JsonObject, type KubeObject, objectsIn, section, textAt, textsIn } from './objects.ts';
import { field, type FieldError, refuse } from './status.ts';

/*
 * The one kind whose fields depend on each other and on all other objects of the kind.
 * Source: pkg/registry/core/service (strategy.go, storage/alloc.go) and pkg/apis/core/v1/defaults.go of Kubernetes 1.36.
 * One address family (IPv4); what is handed out is found in the Services themselves, so nothing has to be released.
 */

/** Where node ports and health check node ports come from (kube-apiserver's default `--service-node-port-range`). */
export const NODE_PORTS = { first: 30_000, last: 32_767 } as const;

/** Cluster IPs are 10.96.x.y (kubeadm's default is 10.96.0.0/12), without the first and the last address. */
const CLUSTER_IP_PREFIX = '10.96.';
/** The address of the Service `default/kubernetes`. */
export const KUBERNETES_CLUSTER_IP = '10.96.0.1';

/** What allocation needs to know of the world. */
export interface ServiceWorld {
  /** Every Service there is. */
  readonly services: readonly KubeObject[];
  /** A number in [0, 1). */
  readonly random: () => number;
}

const SERVICE = { group: '', plural: 'services', kind: 'Service' } as const;

const typeOf = (service: KubeObject): string => textAt(service, 'spec', 'type');
const hasClusterIp = (service: KubeObject): boolean => typeOf(service) !== 'ExternalName';
const hasNodePorts = (service: KubeObject): boolean => ['NodePort', 'LoadBalancer'].includes(typeOf(service));
const isExternal = (service: KubeObject): boolean =>
  hasNodePorts(service) || (typeOf(service) === 'ClusterIP' && at(service, 'spec', 'externalIPs') !== undefined);
const hasHealthCheckPort = (service: KubeObject): boolean =>
  typeOf(service) === 'LoadBalancer' && at(service, 'spec', 'externalTrafficPolicy') === 'Local';
const portsOf = (service: KubeObject): JsonObject[] => objectsIn(at(service, 'spec', 'ports'));
const nodePortsOf = (service: KubeObject): number[] => portsOf(service).flatMap((port) => numberAt(port, 'nodePort'));

const healthCheckPortOf = (service: KubeObject): number[] => numberAt(section(service, 'spec'), 'healthCheckNodePort');

function numberAt(object: JsonObject, key: string): number[] {
  const value = object[key];
  return typeof value === 'number' && value !== 0 ? [value] : [];
}

export function defaultService(service: KubeObject): void {
  const spec = section(service, 'spec');
  fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
  if (spec['sessionAffinity'] === 'None') delete spec['sessionAffinityConfig'];
  else fill(spec, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } });
  for (const port of portsOf(service)) {
    fill(port, { protocol: 'TCP' });
    if (port['targetPort'] === undefined || port['targetPort'] === 0 || port['targetPort'] === '') {
      port['targetPort'] = port['port'] ?? 0;
    }
  }
  section(section(service, 'status'), 'loadBalancer');
  if (hasClusterIp(service)) fill(spec, { internalTrafficPolicy: 'Cluster' });
  if (isExternal(service)) fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (typeOf(service) !== 'LoadBalancer') return;
  fill(spec, { allocateLoadBalancerNodePorts: true });
  for (const ingress of objectsIn(at(service, 'status', 'loadBalancer', 'ingress'))) {
    if (ingress['ip'] !== undefined) fill(ingress, { ipMode: 'VIP' });
  }
}

/**
 * Makes the fields of a new or changed Service fit together: keeps what was handed out before, hands out what is missing
 * and drops what its type no longer has.
 * @throws StatusError 422 when an address or port is asked for that cannot be had.
 */
export function allocate(service: KubeObject, before: KubeObject | undefined, world: ServiceWorld): void {
  if (before !== undefined) {
    keepAllocated(service, before);
    dropForeignFields(service, before);
  }
  const others = world.services.filter((one) => one !== before);
  allocateClusterIp(service, before, others, world.random);
  allocatePorts(service, before, others, world.random);
}

/** A client that leaves handed-out values out of its PUT does not mean to give them back. */
function keepAllocated(service: KubeObject, before: KubeObject): void {
  const [spec, old] = [section(service, 'spec'), section(before, 'spec')];
  const keep = (...keys: string[]): void => {
    for (const key of keys) if (old[key] !== undefined) fill(spec, { [key]: old[key] });
  };
  if (hasClusterIp(before) && hasClusterIp(service)) keep('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy');
  if (hasHealthCheckPort(before) && hasHealthCheckPort(service)) keep('healthCheckNodePort');
  if (!hasNodePorts(before) || !hasNodePorts(service)) return;
  const stillUsed = nodePortsOf(service);
  for (const port of portsOf(service)) {
    const had = portsOf(before).find((one) => one['name'] === port['name']);
    const [nodePort] = had === undefined ? [] : numberAt(had, 'nodePort');
    if (nodePort !== undefined && !stillUsed.includes(nodePort)) fill(port, { nodePort });
  }
}

/** After a change of type, fields go that the server had set and the client did not touch. */
function dropForeignFields(service: KubeObject, before: KubeObject): void {
  const spec = section(service, 'spec');
  const drop = (...keys: string[]): void => {
    for (const key of keys) if (equal(spec[key], at(before, 'spec', key))) delete spec[key];
  };
  if (!hasClusterIp(service)) {
    drop('clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy');
    delete spec['internalTrafficPolicy'];
  }
  if (!hasNodePorts(service)) {
    const old = nodePortsOf(before);
    if (nodePortsOf(service).every((port) => old.includes(port))) {
      for (const port of portsOf(service)) delete port['nodePort'];
    }
  }
  if (!hasHealthCheckPort(service)) drop('healthCheckNodePort');
  if (!isExternal(service)) drop('externalTrafficPolicy');
  if (typeOf(service) === 'LoadBalancer') return;
  drop('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  service['status'] = { ...section(service, 'status'), loadBalancer: {} };
}

function allocateClusterIp(
  service: KubeObject,
  before: KubeObject | undefined,
  others: readonly KubeObject[],
  random: () => number,
): void {
  if (!hasClusterIp(service)) return;
  const spec = section(service, 'spec');
  const headless = spec['clusterIP'] === 'None';
  // A headless Service without selector may get endpoints of any family.
  const dual = headless && spec['selector'] === undefined;
  fill(spec, {
    ipFamilies: dual ? ['IPv4', 'IPv6'] : ['IPv4'],
    ipFamilyPolicy: dual ? 'RequireDualStack' : 'SingleStack',
  });
  const taken = new Set(others.map((one) => textAt(one, 'spec', 'clusterIP')));
  if (spec['clusterIP'] === undefined) {
    const free = firstFree({ first: 1, last: 65_534 }, random, (host) => !taken.has(clusterIp(host)));
    if (free === undefined) throw refuse.internal('failed to allocate a serviceIP: range is full');
    spec['clusterIP'] = clusterIp(free);
  } else if (!headless && (before === undefined || !hasClusterIp(before))) {
    checkClusterIp(service, taken);
  }
  fill(spec, { clusterIPs: [spec['clusterIP']] });
}

function clusterIp(host: number): string {
  return `${CLUSTER_IP_PREFIX}${host >> 8}.${host & 255}`;
}

function checkClusterIp(service: KubeObject, taken: ReadonlySet<string>): void {
  const ip = textAt(service, 'spec', 'clusterIP');
  const why = taken.has(ip)
    ? 'provided IP is already allocated'
    : ip.startsWith(CLUSTER_IP_PREFIX)
      ? undefined
      : 'the provided network does not match the current range';
  if (why === undefined) return;
  const error = field.invalid('spec.clusterIPs', [ip], `failed to allocate IP ${ip}: ${why}`);
  throw refuse.invalid(SERVICE, service.metadata.name, [error]);
}

function allocatePorts(
  service: KubeObject,
  before: KubeObject | undefined,
  others: readonly KubeObject[],
  random: () => number,
): void {
  const spec = section(service, 'spec');
  const taken = new Set(others.flatMap((one) => [...nodePortsOf(one), ...healthCheckPortOf(one)]));
  const own = [...nodePortsOf(service), ...healthCheckPortOf(service)];
  const next = (): number => {
    const free = firstFree(NODE_PORTS, random, (port) => !taken.has(port) && !own.includes(port));
    if (free === undefined) throw refuse.internal('failed to allocate a nodePort: range is full');
    own.push(free);
    return free;
  };

  if (hasNodePorts(service)) {
    const ports = portsOf(service);
    for (const [index, port] of ports.entries()) {
      const [wanted] = numberAt(port, 'nodePort');
      if (wanted !== undefined) checkNodePort(service, `spec.ports[${index}].nodePort`, wanted, taken);
      else if (spec['allocateLoadBalancerNodePorts'] !== false) {
        // At creation TCP and UDP of one port share a node port.
        const twin = ports.find((one) => one !== port && one['port'] === port['port'] && one['nodePort'] !== undefined);
        port['nodePort'] = (before === undefined ? twin?.['nodePort'] : undefined) ?? next();
      }
    }
  }
  if (hasHealthCheckPort(service)) {
    const [wanted] = healthCheckPortOf(service);
    if (wanted === undefined) spec['healthCheckNodePort'] = next();
    else checkNodePort(service, 'spec.healthCheckNodePort', wanted, taken);
  }
}

function checkNodePort(service: KubeObject, path: string, port: number, taken: ReadonlySet<number>): void {
  const { first, last } = NODE_PORTS;
  const why = taken.has(port)
    ? 'provided port is already allocated'
    : port < first || port > last
      ? `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
      : undefined;
  if (why !== undefined) throw refuse.invalid(SERVICE, service.metadata.name, [field.invalid(path, port, why)]);
}

/** A free number of a range: the first from a random one on, so that a repeated name does not get its old port back. */
function firstFree(
  range: { readonly first: number; readonly last: number },
  random: () => number,
  isFree: (number: number) => boolean,
): number | undefined {
  const size = range.last - range.first + 1;
  const start = Math.floor(random() * size);
  for (let step = 0; step < size; step++) {
    const candidate = range.first + ((start + step) % size);
    if (isFree(candidate)) return candidate;
  }
  return undefined;
}

export function validateService(service: KubeObject, before: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const ports = portsOf(service);
  if (ports.length === 0 && hasClusterIp(service) && at(service, 'spec', 'clusterIP') !== 'None') {
    errors.push(field.required('spec.ports'));
  }
  for (const [index, port] of ports.entries()) {
    if (ports.length > 1 && textAt(port, 'name') === '') errors.push(field.required(`spec.ports[${index}].name`));
    if (!hasNodePorts(service) && numberAt(port, 'nodePort').length > 0) {
      const why = `may not be used when \`type\` is '${typeOf(service)}'`;
      errors.push(field.forbidden(`spec.ports[${index}].nodePort`, why));
    }
  }
  for (const [index, ingress] of objectsIn(at(service, 'status', 'loadBalancer', 'ingress')).entries()) {
    if (ingress['ip'] !== undefined && ingress['ipMode'] === undefined) {
      const path = `status.loadBalancer.ingress[${index}].ipMode`;
      errors.push(field.required(path, 'must be specified when `ip` is set'));
    }
  }
  if (before === undefined) return errors;
  const kept = (key: string): boolean => equal(at(service, 'spec', key), at(before, 'spec', key));
  if (hasClusterIp(service) && hasClusterIp(before) && !kept('clusterIP')) {
    const asked = textsIn([at(service, 'spec', 'clusterIP') ?? '']);
    errors.push(field.invalid('spec.clusterIPs[0]', asked, 'may not change once set'));
  }
  if (hasHealthCheckPort(service) && hasHealthCheckPort(before) && !kept('healthCheckNodePort')) {
    errors.push(field.forbidden('spec.healthCheckNodePort', 'field is immutable'));
  }
  if (typeOf(service) === 'LoadBalancer' && typeOf(before) === 'LoadBalancer' && !kept('loadBalancerClass')) {
    const asked = at(service, 'spec', 'loadBalancerClass') ?? null;
    errors.push(field.invalid('spec.loadBalancerClass', asked, 'may not change once set'));
  }
  return errors;
}
