import { setTimeout as pause } from 'node:timers/promises';
import { ServiceController } from '../ccm/service.ts';
import { systemClock } from '../daemon/clock.ts';
import { Informer } from '../kube/informer.ts';
import { KubeClient } from '../kube/rest.ts';
import type { Node, Service } from '../kube/types.ts';
import { Nifcloud } from '../nifcloud/nifcloud.ts';
import { startApiServer } from '../simulator/kubernetes/server.ts';
import { startSimulator } from '../simulator/nifcloud/simulator.ts';
import type { Figure } from './figure.ts';

const PREFIX = 'service.beta.kubernetes.io/nifcloud-load-balancer-';
const SERVICES = '/api/v1/namespaces/default/services';
/** Nothing has been asked for so long, in ms, when a journey is over: longer than from tick to tick. */
const QUIET_MS = 5_000;
const LATENCY_MS = 200;

const HTTP = { name: 'http', port: 80, nodePort: 30080 };
const HTTPS = { name: 'https', port: 443, nodePort: 30443 };
const TWO_PORTS = { type: 'LoadBalancer', ports: [HTTP, HTTPS] };

const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

/** How many calls of the cloud the life of a Service costs, each answered after 200 ms, and how long it takes. */
export async function ccmFigures(): Promise<readonly Figure[]> {
  const cloud = await startSimulator({ latencyMs: LATENCY_MS });
  const api = await startApiServer();
  const stop = new AbortController();
  try {
    const kube = new KubeClient(
      { server: api.url, token: () => 'bench' },
      { userAgent: 'bench', logger, clock: systemClock, qps: 1_000, burst: 1_000 },
    );
    const running = run(kube, cloud, stop.signal);
    const send = async (method: string, path: string, body?: object): Promise<void> => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const init = { method, headers: { 'content-type': type }, ...(body && { body: JSON.stringify(body) }) };
      const response = await fetch(new URL(path, api.url), init);
      if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    };
    const make = (name: string, annotations: object, spec: object): Promise<void> =>
      send('POST', SERVICES, { kind: 'Service', apiVersion: 'v1', metadata: { name, annotations }, spec });
    const addNode = (name: string): Promise<void> =>
      send('POST', '/api/v1/nodes', { kind: 'Node', apiVersion: 'v1', metadata: { name } });

    await Promise.all(['node01', 'node02'].map(addNode));
    await pause(QUIET_MS);
    const journeys: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['L4 with 2 ports, made', () => make('web', {}, TWO_PORTS)],
      ['a node is added', () => addNode('node03')],
      [
        'a port is changed',
        () => send('PATCH', `${SERVICES}/web`, { spec: { ports: [HTTP, { ...HTTPS, port: 8443 }] } }),
      ],
      [
        'an annotation for 2 ports is changed',
        () => send('PATCH', `${SERVICES}/web`, annotated('healthcheck-interval', '20')),
      ],
      ['L4 is deleted', () => send('DELETE', `${SERVICES}/web`)],
      [
        '10 Services with L4 and 1 port, made at once',
        () =>
          Promise.all(
            Array.from({ length: 10 }, (_, n) => make(`many${n}`, {}, { type: 'LoadBalancer', ports: [{ port: 80 }] })),
          ),
      ],
      [
        'they are deleted',
        () => Promise.all(Array.from({ length: 10 }, (_, n) => send('DELETE', `${SERVICES}/many${n}`))),
      ],
      ['elastic with 2 ports, made', () => make('inner', { [`${PREFIX}type`]: 'elb' }, TWO_PORTS)],
      [
        'a port is changed',
        () => send('PATCH', `${SERVICES}/inner`, { spec: { ports: [HTTP, { ...HTTPS, port: 8443 }] } }),
      ],
      ['L4 takes the place of elastic', () => send('PATCH', `${SERVICES}/inner`, annotated('type', 'lb'))],
      ['elastic takes the place of L4', () => send('PATCH', `${SERVICES}/inner`, annotated('type', 'elb'))],
      ['elastic is deleted', () => send('DELETE', `${SERVICES}/inner`)],
    ];
    const figures: Figure[] = [];
    for (const [what, happens] of journeys) {
      const mark = cloud.mark();
      const startMs = performance.now();
      await happens();
      const endMs = await untilQuiet(() => cloud.mark(), startMs);
      const calls = cloud.calls(mark);
      const values = {
        calls: calls.length,
        changes: calls.filter(({ mutating }) => mutating).length,
        s: (endMs - startMs) / 1_000,
      };
      figures.push({ what: `load balancers: ${what}`, unit: 'n', values });
    }
    stop.abort();
    await running;
    return figures;
  } finally {
    stop.abort();
    await api.stop();
    await cloud.stop();
  }
}

function annotated(suffix: string, value: string): object {
  return { metadata: { annotations: { [PREFIX + suffix]: value } } };
}

/** The controller alone, on real caches and the real client. */
async function run(
  kube: KubeClient,
  cloud: Awaited<ReturnType<typeof startSimulator>>,
  signal: AbortSignal,
): Promise<void> {
  const { region } = cloud.state();
  const client = new Nifcloud({
    region,
    endpoint: cloud.url,
    credentials: () => cloud.credentials,
    userAgent: 'bench',
    clock: systemClock,
    logger,
  });
  const common = { client: kube, logger, clock: systemClock };
  const nodes = new Informer<Node>({ ...common, path: '/api/v1/nodes' });
  const services = new Informer<Service>({ ...common, path: '/api/v1/services' });
  const controller = new ServiceController({
    services,
    nodes,
    kube,
    servers: client.servers,
    loadBalancers: client.l4LoadBalancers,
    elasticLoadBalancers: client.elasticLoadBalancers,
    firewallGroups: client.firewallGroups,
    events: { event: () => {} },
    logger,
    clock: systemClock,
    clusterName: 'bench',
    loadBalancerClass: '',
    dryRun: false,
    resyncPeriodMs: 0,
  });
  await Promise.all([
    nodes.run(signal),
    services.run(signal),
    Promise.all([nodes.synced, services.synced]).then(() => controller.run(10, signal)),
  ]);
}

/** @returns when the last call was sent */
async function untilQuiet(count: () => number, startMs: number): Promise<number> {
  let [last, lastMs] = [count(), startMs];
  while (performance.now() - lastMs < QUIET_MS) {
    await pause(50);
    const now = count();
    if (now !== last) [last, lastMs] = [now, performance.now()];
  }
  return lastMs;
}
