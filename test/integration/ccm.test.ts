import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { expect } from 'chai';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';
import { World } from './world.ts';

interface Node {
  readonly spec: { readonly providerID?: string; readonly taints?: readonly { readonly key: string }[] };
}

interface Service {
  readonly metadata: { readonly name: string };
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node01' },
  spec: { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }] },
};
const PREFIX = 'service.beta.kubernetes.io/nifcloud-load-balancer-';

function service(
  name: string,
  annotations: Readonly<Record<string, string>>,
  ports: readonly object[] = [{ port: 80 }],
): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, annotations }, spec: { type: 'LoadBalancer', ports } };
}

async function readyz(port: number): Promise<{ status: number; body: string }> {
  return await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

/** Waits until /readyz answers with this status and text. */
async function untilReadyz(port: number, status: number, text: string): Promise<string> {
  return await eventually(async () => {
    const answer = await readyz(port).catch(() => undefined);
    return answer?.status === status && answer.body.includes(text) ? answer.body : undefined;
  });
}

describe('the cloud-controller-manager as a process', () => {
  let world: World;
  beforeEach(async () => (world = await World.start()));
  afterEach(() => world.stop());

  const broken: readonly [string, () => Promise<Readonly<Record<string, string>>>, RegExp][] = [
    ['refuses its signature', () => Promise.resolve({ NIFCLOUD_SECRET_ACCESS_KEY: 'not-the-secret' }), /AuthFailure/],
    ['cannot be reached', async () => ({ NIFCLOUD_ENDPOINT: `http://127.0.0.1:${await freePort()}` }), /ECONNREFUSED/],
  ];
  for (const [what, environment, reason] of broken) {
    it(`goes on when the cloud ${what}: not ready, a line in the log, an event on the node, the taint stays`, async () => {
      await world.kube('POST', '/api/v1/nodes', NODE);
      const env = world.environment(await environment());
      const port = await world.startCcm(env);
      expect(await untilReadyz(port, 500, '[-]cloud failed: ')).to.match(reason);
      const [event] = await eventually(async () => {
        const events = await world.events('Node', 'node01');
        return events.length > 0 ? events : undefined;
      });
      expect(event)
        .to.match(/^Warning /)
        .and.to.match(reason);
      const node = await world.kube<Node>('GET', '/api/v1/nodes/node01');
      expect(node.spec.taints?.map(({ key }) => key)).to.include(NODE.spec.taints[0]?.key);
      const log = await readFile(world.stage.logFile('ccm'), 'utf8');
      expect(log).to.match(reason).and.not.to.contain(env['NIFCLOUD_SECRET_ACCESS_KEY']);
      expect(world.stage.signal.aborted, 'ended by itself').to.be.false;
    });
  }

  it('refuses what it cannot serve with an event that names key, value and allowed values, and creates nothing', async () => {
    await world.kube('POST', '/api/v1/nodes', NODE);
    const port = await world.startCcm(world.environment());
    await untilReadyz(port, 200, '');
    const mark = world.cloud.mark();
    const refused: readonly [object, RegExp][] = [
      [service('volume', { [`${PREFIX}network-volume`]: '15' }), /network-volume.*15.*10, 20, 30, 40/],
      [service('policy', { [`${PREFIX}policy-type`]: 'strict' }), /policy-type.*strict.*standard.*ats/],
      [service('udp', {}, [{ port: 53, protocol: 'UDP' }]), /UDP.*TCP/],
      [service('other', { [`${PREFIX}type`]: 'alb' }), /type.*alb.*lb.*elb/],
      [
        service(
          'many',
          {},
          [1, 2, 3, 4].map((n) => ({ name: `p${n}`, port: n })),
        ),
        /4.*3/,
      ],
    ];
    for (const [object, says] of refused) {
      await world.kube('POST', '/api/v1/namespaces/default/services', object);
      const { name } = (object as { metadata: { name: string } }).metadata;
      const warning = await eventually(async () =>
        // A real API server has things of its own to say.
        (await world.events('Service', name)).find((event) => event.startsWith('Warning SyncLoadBalancerFailed')),
      );
      expect(warning).to.match(says);
    }
    expect(world.cloud.calls(mark).filter(({ mutating }) => mutating)).to.deep.equal([]);
    expect(world.cloud.state().loadBalancers).to.deep.equal([]);
  });

  it('gives a Service its load balancer, adds a node that comes later, and takes everything away with the Service', async () => {
    await world.kube('POST', '/api/v1/nodes', NODE);
    await world.startCcm(world.environment());
    await world.kube('POST', '/api/v1/namespaces/default/services', service('web', {}));
    const ip = await eventually(async () => {
      const { status } = await world.kube<Service>('GET', '/api/v1/namespaces/default/services/web');
      return status.loadBalancer?.ingress?.[0]?.ip;
    });
    expect(world.cloud.state().loadBalancers.map(({ vip }) => vip)).to.deep.equal([ip]);
    const targets = (): readonly string[] =>
      world.cloud.state().loadBalancers[0]?.ports[0]?.targets.map(({ serverName }) => serverName) ?? [];
    await world.kube('POST', '/api/v1/nodes', { ...NODE, metadata: { name: 'node02' } });
    await eventually(() => targets().length === 2);
    expect(targets()).to.have.members(['node01', 'node02']);
    await world.kube('DELETE', '/api/v1/namespaces/default/services/web');
    const services = async (): Promise<readonly string[]> =>
      (await world.kube<{ items: readonly Service[] }>('GET', '/api/v1/services')).items.map(
        ({ metadata }) => metadata.name,
      );
    await eventually(async () => !(await services()).includes('web'));
    expect(world.cloud.state().loadBalancers).to.deep.equal([]);
  });
});
