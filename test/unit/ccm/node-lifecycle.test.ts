import { expect } from 'chai';
import * as fc from 'fast-check';
import { NodeLifecycleController } from '../../../ccm/node-lifecycle.ts';
import { KubeError } from '../../../kube/errors.ts';
import type { Node, Taint } from '../../../kube/types.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import type { Server } from '../../../nifcloud/servers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { KubeApi } from './kube-api.ts';
import { Events, Log } from './surroundings.ts';

const PERIOD_MS = 5_000;
const MIN_AGE_MS = 120_000;
const SHUTDOWN: Taint = { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' };

const server = (name: string, fields: Partial<Server> = {}): Server => ({
  name,
  uniqueId: `i-${name}`,
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: '',
  publicAddress: '',
  firewallGroups: [],
  interfaces: [],
  ...fields,
});

const outage = (): NifcloudError =>
  new NifcloudError({ action: 'DescribeInstances', code: 'Timeout', detail: '', outcome: 'unknown' });

/** A cluster of nodes, each with a server, whose cloud answers truly unless it is told what to answer. */
class World {
  readonly api = new KubeApi();
  readonly events = new Events();
  readonly log = new Log();
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  servers: Server[] = [];
  calls = 0;
  /** Answers in place of the truth, the next one first. */
  listings: (() => readonly Server[])[] = [];
  lookUps: (() => Server | undefined)[] = [];
  readonly controller = new NodeLifecycleController({
    nodes: this.api.nodes.informer,
    kube: this.api,
    servers: {
      list: () => this.#answer(this.listings.shift() ?? (() => this.servers)),
      find: (name) => this.#answer(this.lookUps.shift() ?? (() => this.servers.find((one) => one.name === name))),
    },
    events: this.events,
    logger: this.log,
    clock: this.clock,
    random: () => 0.5,
    periodMs: PERIOD_MS,
    minAgeMs: MIN_AGE_MS,
  });

  constructor(names: readonly string[] = ['node1', 'node2', 'node3']) {
    for (const name of names) {
      this.join(name);
      this.servers.push(server(name));
    }
  }

  async #answer<T>(give: () => T): Promise<T> {
    this.calls += 1;
    await Promise.resolve();
    return give();
  }

  join(name: string, ageMs = 24 * 3_600_000): void {
    const creationTimestamp = new Date(this.clock.now() - ageMs).toISOString();
    this.api.addNode({
      metadata: { name, uid: `uid-${name}-${ageMs}`, creationTimestamp },
      spec: { providerID: `nifcloud:///east-11/i-${name}` },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
  }

  /** What the kubelet, or its silence, does to a Node. */
  says(name: string, status: 'True' | 'False' | 'Unknown', spec: Partial<Node['spec']> = {}): void {
    const node = this.api.node(name)!;
    this.api.addNode({
      ...node,
      spec: { ...node.spec, ...spec },
      status: { conditions: [{ type: 'Ready', status }] },
    });
  }

  /** Its server is removed, and its kubelet falls silent. */
  vanish(name: string): void {
    this.servers = this.servers.filter((one) => one.uniqueId !== `i-${name}`);
    this.says(name, 'Unknown');
  }

  async rounds(count: number): Promise<void> {
    if (this.clock.sleeping === 0) {
      void this.controller.run(this.stop.signal);
      await this.clock.advance(0);
      if (count > 1) await this.clock.advance((count - 1) * PERIOD_MS);
    } else await this.clock.advance(count * PERIOD_MS);
  }

  names(): readonly string[] {
    return [...this.api.nodes.objects.keys()];
  }

  taints(name: string): readonly Taint[] {
    return this.api.node(name)?.spec?.taints ?? [];
  }
}

describe('the node lifecycle controller', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.stop.abort());

  describe('a node whose server no longer exists', () => {
    it('is deleted in the second round that says so, with the events of the framework', async () => {
      world.vanish('node2');
      await world.rounds(1);
      expect(world.names()).to.deep.equal(['node1', 'node2', 'node3']);
      await world.rounds(1);
      expect(world.names()).to.deep.equal(['node1', 'node3']);
      expect(world.events.take()).to.deep.equal([
        'Normal DeletingNode: Deleting node node2 because it does not exist in the cloud provider',
      ]);
      expect(world.calls).to.equal(4);
    });

    it('is tried again in the next round when the API server refuses, which an event says (os#3225)', async () => {
      world.vanish('node2');
      let isForbidden = true;
      world.api.interrupt = (_, request) => {
        if (isForbidden && request.startsWith('DELETE'))
          throw new KubeError({ code: 403, reason: 'Forbidden', message: 'nodes "node2" is forbidden' });
      };
      await world.rounds(2);
      expect(world.events.take()[1]).to.equal(
        'Warning DeletingNodeFailed: Failed deleting node node2: nodes "node2" is forbidden',
      );
      isForbidden = false;
      await world.rounds(1);
      expect(world.names()).to.deep.equal(['node1', 'node3']);
    });

    it('that has joined anew under its name meanwhile is not meant: the UID is part of the order', async () => {
      world.vanish('node2');
      await world.rounds(1);
      world.api.nodes.lagging = true;
      world.api.nodes.store('node2', undefined);
      world.join('node2', 60_000);
      world.says('node2', 'False');
      await world.rounds(3);
      expect(world.names()).to.include('node2');
      expect(world.events.take().join()).to.not.match(/Failed/);
    });

    it('is deleted although a new server has its name', async () => {
      world.vanish('node2');
      world.servers.push(server('node2', { uniqueId: 'i-new' }));
      await world.rounds(2);
      expect(world.names()).to.deep.equal(['node1', 'node3']);
    });

    it('is kept until it has the minimum age (k#127424)', async () => {
      world.join('node4', 0);
      world.says('node4', 'False');
      await world.rounds(20);
      expect(world.names()).to.include('node4');
      await world.rounds(10);
      expect(world.names()).to.not.include('node4');
    });

    it('is kept when its kubelet speaks again in the last moment', async () => {
      world.vanish('node2');
      await world.rounds(1);
      world.lookUps = [
        () => {
          world.says('node2', 'True');
          return undefined;
        },
      ];
      await world.rounds(1);
      expect(world.names()).to.include('node2');
    });
  });

  describe('a node whose server exists', () => {
    const told: [what: string, tell: (world: World) => void][] = [
      ['one listing lacks it', ({ listings, servers }) => listings.push(() => servers.slice(1))],
      [
        'one listing lacks it and one look-up by name denies it',
        ({ listings, lookUps, servers }) => {
          listings.push(() => servers.slice(1));
          lookUps.push(() => undefined);
        },
      ],
      [
        'every listing lacks it, but by its name it is found',
        ({ listings, servers }) => listings.push(...Array<() => Server[]>(9).fill(() => servers.slice(1))),
      ],
      ['every second listing lacks it', lacking((at) => at % 2 === 0, 0)],
      ['a failure lies between two listings that lack it', lacking((at) => at !== 1, 1)],
      ['every listing is empty', ({ listings }) => listings.push(...Array<() => Server[]>(9).fill(() => []))],
      [
        'every listing is of another account',
        ({ listings, lookUps }) => {
          listings.push(...Array<() => Server[]>(9).fill(() => [server('stranger')]));
          lookUps.push(...Array<() => undefined>(9).fill(() => undefined));
        },
      ],
      [
        'half of the servers are not listed, nor found by name',
        ({ listings, lookUps, servers }) => {
          listings.push(...Array<() => Server[]>(9).fill(() => servers.slice(2)));
          lookUps.push(...Array<() => undefined>(9).fill(() => undefined));
        },
      ],
      ['the cloud cannot be asked', ({ listings }) => listings.push(...Array<() => never>(9).fill(fail))],
      [
        'it is not listed and cannot be asked for by name',
        ({ listings, lookUps, servers }) => {
          listings.push(...Array<() => Server[]>(9).fill(() => servers.slice(1)));
          lookUps.push(...Array<() => never>(9).fill(fail));
        },
      ],
      [
        'it has another name now',
        (one) => (one.servers = one.servers.map((it, at) => (at === 0 ? { ...it, name: 'renamed' } : it))),
      ],
    ];
    for (const [what, tell] of told) {
      it(`is kept when ${what}`, async () => {
        for (const name of ['node1', 'node2', 'node3']) world.says(name, name === 'node1' ? 'Unknown' : 'True');
        tell(world);
        await world.rounds(6);
        expect(world.names()).to.deep.equal(['node1', 'node2', 'node3']);
        expect(world.events.take().filter((line) => line.includes('DeletingNode'))).to.deep.equal([]);
      });
    }

    it('is never deleted, whatever the cloud answers and the kubelets do, as long as it does not lie twice in a row', async () => {
      const answer = fc.constantFrom('truth', 'error', 'empty', 'partial', 'lie');
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 25 }),
          fc.array(fc.tuple(answer, fc.nat(), fc.boolean(), fc.constantFrom('True', 'False', 'Unknown')), {
            maxLength: 30,
          }),
          fc.uniqueArray(fc.nat({ max: 24 }), { maxLength: 3 }),
          async (count, script, gone) => {
            const one = new World(Array.from({ length: count }, (_, at) => `node${at}`));
            for (const at of gone) if (at < count) one.vanish(`node${at}`);
            const existing = one.servers.map(({ name }) => name);
            let wasLie = false;
            for (const [kind, seed, finds, status] of script) {
              const name = `node${seed % count}`;
              if (one.names().includes(name)) one.says(name, status);
              const lies: boolean = kind === 'lie' && !wasLie;
              wasLie = lies;
              if (kind === 'error') one.listings.push(fail);
              else if (kind === 'empty') one.listings.push(() => []);
              else if (lies || kind === 'partial')
                one.listings.push(() => one.servers.filter((_, at) => (at + seed) % (2 + (seed % 20)) !== 0));
              // Partial lists are caught by name; a lie is told by name as well.
              if (lies) one.lookUps.push(...Array<() => undefined>(5).fill(() => undefined));
              else if (!finds) one.lookUps.push(fail);
              await one.rounds(1);
              one.listings = [];
              one.lookUps = [];
            }
            one.stop.abort();
            expect(one.names()).to.include.members(existing);
          },
        ),
        { numRuns: 200 },
      );
    });

    it('is deleted in the end once it is gone, whatever happened before', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom('error', 'empty', 'truth'), { maxLength: 12 }), async (script) => {
          const one = new World();
          one.vanish('node2');
          for (const kind of script) {
            if (kind === 'error') one.listings.push(fail);
            if (kind === 'empty') one.listings.push(() => []);
            await one.rounds(1);
          }
          await one.rounds(3);
          one.stop.abort();
          expect(one.names()).to.deep.equal(['node1', 'node3']);
        }),
        { numRuns: 100 },
      );
    });
  });

  describe('a listing that is not credible', () => {
    it('leaves an event with advice on each node that is kept for it, once while that lasts', async () => {
      for (const name of ['node1', 'node2']) world.vanish(name);
      await world.rounds(5);
      expect(world.events.take()).to.deep.equal([kept('node1'), kept('node2')]);
      world.servers.push(server('node1'), server('node2'));
      await world.rounds(1);
      for (const name of ['node1', 'node2']) world.vanish(name);
      await world.rounds(1);
      expect(world.events.take()).to.have.length(2);
    });

    it('is believed once an operator has deleted one of two nodes by hand', async () => {
      for (const name of ['node1', 'node2']) world.vanish(name);
      await world.rounds(3);
      world.api.nodes.store('node1', undefined);
      await world.rounds(2);
      expect(world.names()).to.deep.equal(['node3']);
    });
  });

  describe('a node that does not answer', () => {
    it('costs 7 calls of the cloud in 30 s, however many there are, and none once it is ready (E7 #21)', async () => {
      world = new World(Array.from({ length: 100 }, (_, at) => `node${at}`));
      for (const name of world.names()) world.says(name, 'Unknown');
      await world.rounds(1);
      await world.clock.advance(30_000);
      expect(world.calls).to.equal(7);
      for (const name of world.names()) world.says(name, 'True');
      await world.clock.advance(60_000);
      expect(world.calls).to.equal(7);
      expect(world.api.writes).to.deep.equal([]);
    });

    it('has the shutdown taint while its server is stopped, at one write, and loses it when it is ready', async () => {
      world.servers = world.servers.map((one) => ({ ...one, state: one.name === 'node2' ? 'stopped' : 'running' }));
      world.says('node2', 'Unknown', { taints: [{ key: 'mine', effect: 'NoExecute' }] });
      await world.rounds(3);
      expect(world.taints('node2')).to.deep.equal([{ key: 'mine', effect: 'NoExecute' }, SHUTDOWN]);
      expect(world.api.writes).to.deep.equal(['PATCH /api/v1/nodes/node2']);
      world.says('node2', 'True');
      await world.rounds(1);
      expect(world.taints('node2')).to.deep.equal([{ key: 'mine', effect: 'NoExecute' }]);
    });

    it('loses the taint once its server runs again, so that its own taints say what is wrong (az#4428)', async () => {
      world.says('node2', 'Unknown', { taints: [SHUTDOWN] });
      world.servers = world.servers.map((one) => ({ ...one, state: 'pending' }));
      await world.rounds(1);
      expect(world.taints('node2')).to.deep.equal([SHUTDOWN]);
      world.servers = world.servers.map((one) => ({ ...one, state: 'running' }));
      await world.rounds(1);
      expect(world.taints('node2')).to.deep.equal([]);
    });

    it('loses no taint that others add at the same moment', async () => {
      world.servers = world.servers.map((one) => ({ ...one, state: 'stopped' }));
      world.says('node2', 'Unknown');
      let isFirst = true;
      world.api.interrupt = (moment, request) => {
        if (!isFirst || moment !== 'before' || request !== 'PATCH /api/v1/nodes/node2') return;
        isFirst = false;
        world.says('node2', 'Unknown', { taints: [{ key: 'theirs', effect: 'NoExecute' }] });
      };
      await world.rounds(1);
      await world.clock.advance(200);
      expect(world.taints('node2').map(({ key }) => key)).to.deep.equal(['theirs', SHUTDOWN.key]);
    });

    it('gets no taint if it becomes ready at the same moment', async () => {
      world.servers = world.servers.map((one) => ({ ...one, state: 'stopped' }));
      world.says('node2', 'Unknown');
      let isFirst = true;
      world.api.interrupt = (moment) => {
        if (!isFirst || moment !== 'before') return;
        isFirst = false;
        world.says('node2', 'True');
      };
      await world.rounds(1);
      await world.clock.advance(200);
      expect(world.taints('node2')).to.deep.equal([]);
    });
  });

  describe('a node that is ready', () => {
    it('loses the shutdown taint although the cloud does not answer at all', async () => {
      world.says('node1', 'Unknown');
      world.says('node2', 'True', { taints: [SHUTDOWN] });
      const { servers } = world;
      world.listings = [() => new Promise<never>(() => {}) as never];
      await world.rounds(1);
      expect(world.taints('node2')).to.deep.equal([]);
      world.says('node3', 'True', { taints: [SHUTDOWN] });
      await world.clock.advance(PERIOD_MS);
      expect(world.taints('node3')).to.deep.equal([]);
      expect(servers).to.have.length(3);
    });
  });
});

function fail(): never {
  throw outage();
}

/** Listings, and look-ups with them, that lack the first server at the places that `isLie` names; where it does not: the truth, or failure. */
function lacking(isLie: (at: number) => boolean, failures: number): (one: World) => void {
  return (one) => {
    for (let at = 0; at < 6; at += 1) {
      const lies = isLie(at) && !(failures > 0 && at > 2);
      one.listings.push(() => (lies ? one.servers.slice(1) : failures > 0 && at === 1 ? fail() : one.servers));
      if (lies) one.lookUps.push(() => undefined);
    }
  };
}

/** The event about a node that is kept. */
function kept(name: string): string {
  return (
    `Warning NodeKept: Not deleting node ${name}: the cloud lists no server for 2 of 3 nodes, and not more than 1 are ` +
    'believed to vanish at once; if its server is really gone, delete the node by hand'
  );
}
