import { expect } from 'chai';
import { NodeController } from '../../../ccm/node.ts';
import { PROVIDED_NODE_IP_ANNOTATION, UNINITIALIZED_TAINT } from '../../../ccm/cloud/nodes.ts';
import type { Node } from '../../../kube/types.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import type { Server } from '../../../nifcloud/servers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { KubeApi } from './kube-api.ts';
import { Events, Log } from './surroundings.ts';

const MINUTE_MS = 60_000;

const server = (name: string): Server => ({
  name,
  uniqueId: `i-${name}`,
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: `10.0.0.${name.slice(-1)}`,
  publicAddress: '',
  firewallGroups: [],
  interfaces: [],
});

const fresh = (name: string, annotations: Record<string, string> = {}): Node => ({
  metadata: { name, uid: `uid-${name}`, annotations },
  spec: { taints: [{ key: UNINITIALIZED_TAINT, value: 'true', effect: 'NoSchedule' }] },
  status: { addresses: [{ type: 'Hostname', address: name }] },
});

class World {
  readonly api = new KubeApi();
  readonly events = new Events();
  readonly log = new Log();
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly delays: string[] = [];
  servers: Server[] = [server('node1'), server('node2')];
  serverLists = 0;
  failure: Error | undefined;
  readonly controller = new NodeController({
    nodes: this.api.nodes.informer,
    kube: this.api,
    servers: {
      list: () => {
        this.serverLists += 1;
        return this.failure === undefined ? Promise.resolve(this.servers) : Promise.reject(this.failure);
      },
    },
    region: 'jp-east-1',
    events: this.events,
    logger: this.log,
    clock: this.clock,
    random: () => 0.5,
    addressPeriodMs: 5 * MINUTE_MS,
    addressWorkers: 2,
    metrics: {
      taintRemoved: (seconds) => this.delays.push(`taint removed after ${seconds} s`),
      initialSyncDone: (seconds) => this.delays.push(`synced after ${seconds} s`),
    },
  });

  run(): void {
    void this.controller.run(1, this.stop.signal);
  }

  async sync(name: string): Promise<Error | undefined> {
    return await this.controller.reconcile({ namespace: '', name }, this.stop.signal).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
  }
}

const initialised = async (): Promise<World> => {
  const world = new World();
  for (const name of ['node1', 'node2']) {
    world.api.addNode(fresh(name));
    await world.sync(name);
  }
  world.api.writes.length = 0;
  world.serverLists = 0;
  world.events.take();
  return world;
};

describe('a node that joins', () => {
  it('gets provider id, labels and addresses, loses the taint, and is told', async () => {
    const world = new World();
    world.api.addNode(fresh('node1'));
    await world.sync('node1');
    const node = world.api.node('node1');
    expect(node?.spec).to.deep.equal({ providerID: 'nifcloud:///east-11/i-node1', taints: [] });
    expect(node?.metadata.labels).to.include({
      'topology.kubernetes.io/zone': 'east-11',
      'topology.kubernetes.io/region': 'jp-east-1',
      'node.kubernetes.io/instance-type': 'e-medium8',
    });
    expect(node?.status?.addresses).to.deep.equal([
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: 'node1' },
    ]);
    expect(world.events.take()).to.deep.equal(['Normal Synced: Node synced successfully']);
  });

  it('together with a hundred others costs one call of the cloud, even with one worker', async () => {
    const world = new World();
    const names = Array.from({ length: 100 }, (_, n) => `node${n}`);
    world.servers = names.map(server);
    world.run();
    await world.clock.advance(0);
    world.serverLists = 0;
    for (const name of names) world.api.addNode(fresh(name));
    await world.clock.advance(0);
    expect(names.filter((name) => world.api.node(name)?.spec?.providerID === undefined)).to.deep.equal([]);
    expect(world.serverLists).to.equal(1);
    world.stop.abort();
  });

  it('before the cloud shows its server is tried again with what the cloud shows then', async () => {
    const world = new World();
    world.run();
    world.api.addNode(fresh('node3'));
    await world.clock.advance(0);
    expect(world.events.take()[0]).to.match(/^Warning SyncNodeFailed/);
    world.servers = [...world.servers, server('node3')];
    await world.clock.advance(1_000);
    expect(world.api.node('node3')?.spec?.providerID).to.equal('nifcloud:///east-11/i-node3');
    world.stop.abort();
  });

  it('while somebody else changes it is read again, and nothing of that change is lost', async () => {
    const world = new World();
    world.api.addNode(fresh('node1'));
    world.api.nodes.lagging = true;
    world.api.addNode({ ...fresh('node1'), metadata: { name: 'node1', labels: { theirs: 'x' } } });
    const done = world.sync('node1');
    await world.clock.advance(100);
    expect(await done).to.equal(undefined);
    expect(world.api.node('node1')?.metadata.labels).to.include({
      theirs: 'x',
      'topology.kubernetes.io/zone': 'east-11',
    });
    expect(world.api.node('node1')?.spec?.taints).to.deep.equal([]);
  });

  it('without a server in the cloud keeps the taint; the event says what its name must be', async () => {
    const world = new World();
    world.api.addNode(fresh('stranger'));
    expect(await world.sync('stranger')).to.be.instanceOf(Error);
    expect(world.api.node('stranger')?.spec?.taints).to.have.length(1);
    expect(world.events.take()).to.deep.equal([
      'Warning SyncNodeFailed: Node stays tainted: region jp-east-1 has no server named stranger; ' +
        'a node must have the name of its server',
    ]);
  });

  it('with an address that its server does not have keeps the taint', async () => {
    const world = new World();
    world.api.addNode(fresh('node1', { [PROVIDED_NODE_IP_ANNOTATION]: '10.9.9.9' }));
    expect((await world.sync('node1'))?.message).to.match(/10\.9\.9\.9/);
    expect(world.api.node('node1')?.spec?.taints).to.have.length(1);
    expect(world.api.writes).to.deep.equal([]);
  });

  const outages: [name: string, outcome: 'refused' | 'not-sent', code: string, advice: RegExp][] = [
    [
      'refuses the signature',
      'refused',
      'Client.AuthFailure.Signature',
      /; check access key, secret key, region and the clock/,
    ],
    ['cannot be reached', 'not-sent', 'ECONNREFUSED', /; check that this machine reaches the Computing API/],
  ];
  for (const [name, outcome, code, advice] of outages) {
    it(`while the cloud ${name} keeps the taint, with advice in an event, and is initialised once that is over`, async () => {
      const world = new World();
      world.failure = new NifcloudError({ action: 'DescribeInstances', code, detail: '', outcome });
      world.run();
      world.api.addNode(fresh('node1'));
      await world.clock.advance(MINUTE_MS);
      expect(world.api.node('node1')?.spec?.taints).to.have.length(1);
      const lines = world.events.take();
      expect(lines.length).to.be.at.least(5);
      for (const line of lines)
        expect(line)
          .to.match(/^Warning SyncNodeFailed: Node stays tainted: DescribeInstances/)
          .and.match(advice);
      world.failure = undefined;
      await world.clock.advance(2 * MINUTE_MS);
      expect(world.api.node('node1')?.spec?.taints).to.deep.equal([]);
      world.stop.abort();
    });
  }

  it('is initialised although its addresses cannot be written, which the next round makes up for', async () => {
    const world = new World();
    world.api.addNode(fresh('node1'));
    world.api.interrupt = (moment, request) => {
      if (moment === 'before' && request.endsWith('/status')) throw new Error('no');
    };
    expect(await world.sync('node1')).to.equal(undefined);
    expect(world.api.node('node1')?.status?.addresses).to.have.length(1);
    world.api.interrupt = () => {};
    world.run();
    await world.clock.advance(0);
    expect(world.api.node('node1')?.status?.addresses).to.have.length(2);
    world.stop.abort();
  });
});

describe('how long a node waited', () => {
  it('is measured once, from its creation, also when the cache is late', async () => {
    const world = new World();
    const creationTimestamp = new Date(world.clock.now() - 40_000).toISOString();
    const node = fresh('node1');
    world.api.addNode({ ...node, metadata: { ...node.metadata, creationTimestamp } });
    world.api.nodes.lagging = true;
    await world.sync('node1');
    const again = world.sync('node1'); // meets a conflict, and then no taint
    await world.clock.advance(100);
    expect(await again).to.equal(undefined);
    expect(world.delays).to.deep.equal(['taint removed after 40 s', 'synced after 40 s']);
    expect(world.events.take()).to.deep.equal(['Normal Synced: Node synced successfully']);
  });
});

describe('the round over all addresses', () => {
  it('writes as many nodes at once as is asked for, and goes on with the others when one cannot be written', async () => {
    const world = new World();
    const names = ['node1', 'node2', 'node3', 'node4'];
    world.servers = names.map(server);
    for (const name of names) world.api.addNode({ ...fresh(name), spec: {} });
    let writing = 0;
    let most = 0;
    world.api.interrupt = (moment, request) => {
      if (!request.endsWith('/status')) return;
      writing += moment === 'before' ? 1 : -1;
      most = Math.max(most, writing);
      if (request.includes('node2') && moment === 'after') throw new Error('no');
    };
    world.run();
    await world.clock.advance(0);
    for (const name of names) expect(world.api.node(name)?.status?.addresses).to.have.length(2);
    expect(world.serverLists).to.equal(1);
    world.stop.abort();
  });

  it('leaves out nodes that still have the taint', async () => {
    const world = new World();
    world.api.addNode(fresh('node1'));
    world.api.interrupt = (_, request) => {
      if (request.startsWith('PUT')) throw new Error('no');
    };
    world.run();
    await world.clock.advance(0);
    expect(world.api.node('node1')?.status?.addresses).to.have.length(1);
    world.stop.abort();
  });
});

describe('a node that is initialised', () => {
  it('costs no call of the cloud when it changes, and no write', async () => {
    const world = await initialised();
    await world.sync('node1');
    expect([world.serverLists, world.api.writes, world.events.take()]).to.deep.equal([0, [], []]);
  });

  it('has its stable labels follow the beta ones', async () => {
    const world = await initialised();
    const node = world.api.node('node1')!;
    const labels = { ...node.metadata.labels, 'topology.kubernetes.io/zone': 'wrong' };
    world.api.addNode({ ...node, metadata: { ...node.metadata, labels } });
    await world.sync('node1');
    expect(world.api.node('node1')?.metadata.labels).to.include({ 'topology.kubernetes.io/zone': 'east-11' });
  });

  it('has its addresses followed every five minutes, at one call of the cloud a round for all (E7 #21)', async () => {
    const world = await initialised();
    world.run();
    await world.clock.advance(0);
    expect([world.serverLists, world.api.writes]).to.deep.equal([1, []]);
    world.servers = world.servers.map((one) => ({ ...one, privateAddress: `10.1.1.${one.name.slice(-1)}` }));
    await world.clock.advance(5 * MINUTE_MS);
    expect(world.serverLists).to.equal(2);
    for (const name of ['node1', 'node2']) {
      expect(world.api.node(name)?.status?.addresses).to.deep.equal([
        { type: 'InternalIP', address: `10.1.1.${name.slice(-1)}` },
        { type: 'Hostname', address: name },
      ]);
    }
    world.stop.abort();
  });

  it('keeps its addresses while its server or the whole cloud is not to be found; the others are followed', async () => {
    const world = await initialised();
    const before = world.api.node('node1')?.status?.addresses;
    world.servers = [{ ...server('node2'), privateAddress: '10.1.1.2' }];
    world.run();
    await world.clock.advance(0);
    expect(world.api.node('node1')?.status?.addresses).to.deep.equal(before);
    expect(world.api.node('node2')?.status?.addresses).to.deep.include({ type: 'InternalIP', address: '10.1.1.2' });
    world.failure = new NifcloudError({ action: 'DescribeInstances', code: 'Timeout', detail: '', outcome: 'unknown' });
    await world.clock.advance(5 * MINUTE_MS);
    expect(world.api.node('node1')?.status?.addresses).to.deep.equal(before);
    world.stop.abort();
  });

  for (const request of ['PUT /api/v1/nodes/node1', 'PATCH /api/v1/nodes/node1/status']) {
    it(`is told nothing when the program stops in the middle of ${request}`, async () => {
      const world = new World();
      world.api.addNode(fresh('node1'));
      world.api.interrupt = (_, one) => {
        if (one !== request) return;
        world.stop.abort(new Error('stopped by SIGTERM'));
        throw world.stop.signal.reason as Error;
      };
      expect((await world.sync('node1'))?.message).to.equal('stopped by SIGTERM');
      expect([world.events.take(), world.log.lines]).to.deep.equal([[], []]);
    });
  }
});
