import { systemClock } from '../../daemon/clock.ts';
import { Nifcloud } from '../../nifcloud/nifcloud.ts';
import type { CrashWorld } from './crash-world.ts';

/** Something that happens to a Service, and that has to come to the same end wherever the controller is killed on the way. */
export interface Journey {
  readonly name: string;
  /** The Service that is there before, with its load balancer; none: it is made by what happens. */
  readonly given?: object;
  /**
   * What becomes of the Service's address. `kept`: it is there all the way. `replaced`: there is one all the way, first the old one,
   * then another. `lost`: somebody took it away.
   */
  readonly address: 'comes' | 'kept' | 'replaced' | 'lost' | 'goes';
  /** Ports of the load balancer that serve all the way. */
  readonly serves: readonly number[];
  /** Who may be let in by an L4 load balancer; none: everybody. */
  readonly sources: readonly string[];
  readonly happens: (world: CrashWorld) => Promise<unknown>;
  /** What somebody else does in the cloud before that, unnoticed. */
  readonly before?: (world: CrashWorld) => Promise<unknown>;
}

export const SERVICES = '/api/v1/namespaces/default/services';
const WEB = `${SERVICES}/web`;
export const TYPE = 'service.beta.kubernetes.io/nifcloud-load-balancer-type';

const PORTS = [
  { name: 'http', port: 80, nodePort: 30080 },
  { name: 'https', port: 443, nodePort: 30443 },
];
/** One stays, one changes its node port, one is new. */
const MORE_PORTS = [
  { name: 'http', port: 80, nodePort: 30080 },
  { name: 'https', port: 443, nodePort: 31443 },
  { name: 'admin', port: 9443, nodePort: 30944 },
];
/** Nothing stays. */
const OTHER_PORTS = [
  { name: 'http', port: 8080, nodePort: 31080 },
  { name: 'https', port: 8443, nodePort: 30443 },
];
const RANGES = ['192.0.2.0/24', '198.51.100.0/24'];
const OTHER_RANGES = ['198.51.100.0/24', '203.0.113.0/24'];

function service(type: 'lb' | 'elb', sourceRanges: readonly string[] = []): object {
  const ranges = sourceRanges.length === 0 ? {} : { loadBalancerSourceRanges: sourceRanges };
  const metadata = { name: 'web', annotations: { [TYPE]: type } };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { type: 'LoadBalancer', ports: PORTS, ...ranges } };
}

const L4 = service('lb', RANGES);
const OPEN_L4 = service('lb');
const ELASTIC = service('elb');

const edit =
  (change: object) =>
  async (world: CrashWorld): Promise<unknown> =>
    await world.kube('PATCH', WEB, change);

const made =
  (wanted: object) =>
  async (world: CrashWorld): Promise<unknown> =>
    await world.kube('POST', SERVICES, wanted);

const deleted = async (world: CrashWorld): Promise<unknown> => await world.kube('DELETE', WEB);
const nodeAdded = async (world: CrashWorld): Promise<unknown> =>
  await world.kube('POST', '/api/v1/nodes', node('node03'));
const nodeGone = async (world: CrashWorld): Promise<unknown> => await world.kube('DELETE', '/api/v1/nodes/node01');
const typed = (type: 'lb' | 'elb'): object => ({ metadata: { annotations: { [TYPE]: type } } });

/** A Node of this name; all that else it needs comes from the cloud. */
export function node(name: string): object {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name } };
}

/** As somebody in the control panel would. */
async function deleteL4LoadBalancers({ cloud }: CrashWorld): Promise<void> {
  const client = new Nifcloud({
    region: cloud.state().region,
    endpoint: cloud.url,
    credentials: () => cloud.credentials,
    userAgent: 'somebody',
    logger: { info() {}, warn() {}, error() {}, debug() {} },
    clock: systemClock,
  });
  for (const { name, ports } of cloud.state().loadBalancers) {
    for (const { loadBalancerPort, instancePort } of ports) {
      await client.l4LoadBalancers.deleteListener({ name, loadBalancerPort, instancePort }, AbortSignal.timeout(5_000));
    }
  }
}

const BOTH = [80, 443];

export const JOURNEYS: readonly Journey[] = [
  { name: 'an L4 load balancer is made', address: 'comes', serves: [], sources: RANGES, happens: made(L4) },
  {
    name: 'a port comes to an L4 load balancer, another one gets another node port',
    given: L4,
    address: 'kept',
    serves: [80],
    sources: RANGES,
    happens: edit({ spec: { ports: MORE_PORTS } }),
  },
  {
    name: 'all ports of an L4 load balancer change',
    given: L4,
    address: 'kept',
    serves: [],
    sources: RANGES,
    happens: edit({ spec: { ports: OTHER_PORTS } }),
  },
  {
    name: 'source ranges change',
    given: L4,
    address: 'kept',
    serves: BOTH,
    sources: [...RANGES, ...OTHER_RANGES],
    happens: edit({ spec: { loadBalancerSourceRanges: OTHER_RANGES } }),
  },
  {
    name: 'a node comes to an L4 load balancer',
    given: L4,
    address: 'kept',
    serves: BOTH,
    sources: RANGES,
    happens: nodeAdded,
  },
  {
    name: 'a node goes from an L4 load balancer',
    given: L4,
    address: 'kept',
    serves: BOTH,
    sources: RANGES,
    happens: nodeGone,
  },
  {
    name: 'a Service with an L4 load balancer is deleted',
    given: L4,
    address: 'goes',
    serves: [],
    sources: RANGES,
    happens: deleted,
  },
  {
    name: 'an L4 load balancer that somebody deleted is made again',
    given: L4,
    address: 'lost',
    serves: [],
    sources: RANGES,
    before: deleteL4LoadBalancers,
    happens: edit({ metadata: { annotations: { touched: 'yes' } } }),
  },
  { name: 'an elastic load balancer is made', address: 'comes', serves: [], sources: [], happens: made(ELASTIC) },
  {
    name: 'a port comes to an elastic load balancer, another one gets another node port',
    given: ELASTIC,
    address: 'kept',
    serves: [80],
    sources: [],
    happens: edit({ spec: { ports: MORE_PORTS } }),
  },
  {
    name: 'all ports of an elastic load balancer change',
    given: ELASTIC,
    address: 'kept',
    serves: [],
    sources: [],
    happens: edit({ spec: { ports: OTHER_PORTS } }),
  },
  {
    name: 'a node comes to an elastic load balancer',
    given: ELASTIC,
    address: 'kept',
    serves: BOTH,
    sources: [],
    happens: nodeAdded,
  },
  {
    name: 'a node goes from an elastic load balancer',
    given: ELASTIC,
    address: 'kept',
    serves: BOTH,
    sources: [],
    happens: nodeGone,
  },
  {
    name: 'a Service with an elastic one is deleted',
    given: ELASTIC,
    address: 'goes',
    serves: [],
    sources: [],
    happens: deleted,
  },
  {
    name: 'a Service with an elastic one is no LoadBalancer any more',
    given: ELASTIC,
    address: 'goes',
    serves: [],
    sources: [],
    happens: edit({ spec: { type: 'ClusterIP' } }),
  },
  {
    name: 'an L4 load balancer is replaced by an elastic one',
    given: OPEN_L4,
    address: 'replaced',
    serves: BOTH,
    sources: [],
    happens: edit(typed('elb')),
  },
  {
    name: 'an elastic load balancer is replaced by an L4 one',
    given: ELASTIC,
    address: 'replaced',
    serves: BOTH,
    sources: [],
    happens: edit(typed('lb')),
  },
];
