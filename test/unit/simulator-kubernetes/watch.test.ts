import { expect } from 'chai';
import * as fc from 'fast-check';
import { list } from '../../../simulator/kubernetes/list.ts';
import { at, type Json, type KubeObject, textAt } from '../../../simulator/kubernetes/objects.ts';
import { Registry } from '../../../simulator/kubernetes/registry.ts';
import { RESOURCES } from '../../../simulator/kubernetes/resources.ts';
import { Store } from '../../../simulator/kubernetes/store.ts';
import { watch, type WatchEvent } from '../../../simulator/kubernetes/watch.ts';
import { FakeClock } from '../../fake-clock.ts';
import { MERGE_PATCH } from './raw-client.ts';
import { runServer, type RunningServer } from './running-server.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MINUTE_MS = 60_000;

/** `ADDED a` */
const outline = (event: Json | undefined): string =>
  `${textAt(event, 'type')} ${textAt(event, 'object', 'metadata', 'name')}`.trim();
const versionOf = (value: Json | undefined): string =>
  textAt(value, 'metadata', 'resourceVersion') || textAt(value, 'object', 'metadata', 'resourceVersion');

describe('watch', () => {
  let running: RunningServer;
  beforeEach(async () => {
    running = await runServer();
  });
  afterEach(() => running.stop());

  const create = async (name: string, labels: Record<string, string> = {}): Promise<Json> =>
    (await running.client.post(CONFIG_MAPS, { metadata: { name, labels } })).body;
  const relabel = async (name: string, labels: Record<string, string>): Promise<Json> =>
    (await running.client.patch(`${CONFIG_MAPS}/${name}`, { metadata: { labels } }, MERGE_PATCH)).body;

  for (const start of ['', '&resourceVersion=0']) {
    it(`without a version (${start || 'unset'}) begins with what there is`, async () => {
      await create('b');
      await create('a');
      const events = await running.client.watch(`${CONFIG_MAPS}?watch=true${start}`);
      await create('c');
      expect((await events.take(3)).map(outline)).to.deep.equal(['ADDED a', 'ADDED b', 'ADDED c']);
    });
  }

  it('with a version goes on after it: nothing twice, nothing missed', async () => {
    await create('old');
    const { body } = await running.client.get(CONFIG_MAPS);
    await create('new');
    await relabel('old', { x: 'y' });
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${versionOf(body)}`);
    await running.client.delete(`${CONFIG_MAPS}/old`);
    const seen = await events.take(3);
    expect(seen.map(outline)).to.deep.equal(['ADDED new', 'MODIFIED old', 'DELETED old']);
    expect(seen.map(versionOf).map(Number)).to.deep.equal([1, 2, 3].map((step) => Number(versionOf(body)) + step));
    expect(at(seen[2], 'object', 'metadata', 'labels')).to.deep.equal({ x: 'y' });
  });

  it('with a version from the future stays silent until it is reached', async () => {
    const { body } = await running.client.get(CONFIG_MAPS);
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${Number(versionOf(body)) + 2}`);
    for (const name of ['a', 'b', 'c']) await create(name);
    expect(outline(await events.next())).to.equal('ADDED c');
  });

  it('shows what enters a selector as added and what leaves it as deleted, as it was but with the new version', async () => {
    const { body } = await running.client.get(CONFIG_MAPS);
    const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${versionOf(body)}&labelSelector=role%3Dweb`;
    const events = await running.client.watch(path);
    await create('a', { role: 'web' });
    const left = await relabel('a', { role: 'db' });
    await relabel('a', { unseen: 'true' });
    await relabel('a', { role: 'web' });
    await running.client.delete(`${CONFIG_MAPS}/a`);
    const seen = await events.take(4);
    expect(seen.map(outline)).to.deep.equal(['ADDED a', 'DELETED a', 'ADDED a', 'DELETED a']);
    expect(at(seen[1], 'object', 'metadata', 'labels')).to.deep.equal({ role: 'web' });
    expect(versionOf(seen[1])).to.equal(versionOf(left));
  });

  it('shows only its namespace, or all of them', async () => {
    await running.client.post('/api/v1/namespaces', { metadata: { name: 'other' } });
    const one = await running.client.watch('/api/v1/namespaces/other/configmaps?watch=1');
    const all = await running.client.watch('/api/v1/configmaps?watch=1');
    await create('a');
    await running.client.post('/api/v1/namespaces/other/configmaps', { metadata: { name: 'b' } });
    expect(outline(await one.next())).to.equal('ADDED b');
    expect((await all.take(2)).map(outline)).to.deep.equal(['ADDED a', 'ADDED b']);
  });

  it('answers a forgotten version with one error event of status 410 and ends', async () => {
    await running.stop();
    running = await runServer({ store: new Store(3) });
    const { body } = await running.client.get(CONFIG_MAPS);
    for (const name of ['a', 'b', 'c', 'd']) await create(name);
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${versionOf(body)}`);
    expect(events.code).to.equal(200);
    expect(await events.next()).to.deep.equal({
      type: 'ERROR',
      object: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: `too old resource version: ${versionOf(body)} (${Number(versionOf(body)) + 1})`,
        reason: 'Expired',
        code: 410,
      },
    });
    expect(await events.next()).to.equal(undefined);
    const later = await running.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${Number(versionOf(body)) + 1}`);
    expect((await later.take(3)).map(outline)).to.deep.equal(['ADDED b', 'ADDED c', 'ADDED d']);
  });

  it('sends a bookmark each minute and 2 s before its end, with the version of the whole server', async () => {
    const { client, clock } = running;
    const { body } = await client.get(CONFIG_MAPS);
    const path = `${CONFIG_MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=150&resourceVersion=${versionOf(body)}`;
    const events = await client.watch(path);
    const { body: node } = await client.post('/api/v1/nodes', { metadata: { name: 'n' } });
    await clock.advance(MINUTE_MS);
    expect(await events.next()).to.deep.equal({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: versionOf(node) } },
    });
    await clock.advance(MINUTE_MS);
    expect(outline(await events.next())).to.equal('BOOKMARK');
    await clock.advance(28_000);
    expect(outline(await events.next())).to.equal('BOOKMARK');
    await clock.advance(1_999);
    await create('late');
    expect(outline(await events.next())).to.equal('ADDED late');
    await clock.advance(1);
    expect(await events.next()).to.equal(undefined);
  });

  it('sends no bookmarks unasked, and ends by itself after 30 to 60 minutes', async () => {
    await running.stop();
    running = await runServer({ random: () => 0.5 });
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1`);
    await running.clock.advance(45 * MINUTE_MS - 1);
    await create('a');
    expect(outline(await events.next())).to.equal('ADDED a');
    await running.clock.advance(1);
    expect(await events.next()).to.equal(undefined);
  });

  it('marks the end of the initial events with a bookmark that says so', async () => {
    await create('a');
    const options = '&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
    for (const path of [`${CONFIG_MAPS}?watch=1${options}`, `${CONFIG_MAPS}?watch=1&allowWatchBookmarks=true`]) {
      const events = await running.client.watch(path);
      expect(outline(await events.next())).to.equal('ADDED a');
      const annotations = at((await events.next()) ?? null, 'object', 'metadata', 'annotations');
      expect(annotations, path).to.deep.equal({ 'k8s.io/initial-events-end': 'true' });
    }
  });

  it('leaves nothing behind when its client goes', async () => {
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1&allowWatchBookmarks=true`);
    expect(running.clock.sleeping).to.equal(1);
    events.close();
    for (let round = 0; running.clock.sleeping > 0 && round < 100; round++) await create(`x${round}`);
    expect(running.clock.sleeping).to.equal(0);
  });

  it('ends when the server stops, and goes on from its version at the next server with the same objects', async () => {
    const events = await running.client.watch(`${CONFIG_MAPS}?watch=1`);
    const seen = await create('a');
    await events.next();
    const { store } = running.server;
    await running.stop();
    expect(await events.next().catch(() => undefined)).to.equal(undefined);
    running = await runServer({ store });
    await create('b');
    const next = await running.client.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${versionOf(seen)}`);
    expect(outline(await next.next())).to.equal('ADDED b');
  });
});

const inSelector = (object: KubeObject): boolean => object.metadata.labels?.['in'] === 'yes';

describe('the end of a watch', () => {
  it('is the end of its events', async () => {
    const [store, clock] = [new Store(), new FakeClock()];
    const registry = new Registry(store, clock, Math.random);
    registry.seed(1);
    const resource = RESOURCES.find(({ plural }) => plural === 'nodes')!;
    const request = { resource, namespace: '', matches: () => true, from: undefined, bookmarks: false, timeoutMs: 5 };
    const events: WatchEvent[] = [];
    const ended = watch(store, { ...request, initialEvents: true }, clock, new AbortController().signal, (event) =>
      events.push(event),
    );
    registry.create({ resource, namespace: '' }, { metadata: { name: 'seen' } });
    await clock.advance(5);
    await ended;
    registry.create({ resource, namespace: '' }, { metadata: { name: 'unseen' } });
    expect(events.map(({ object }) => textAt(object, 'metadata', 'name'))).to.deep.equal(['seen']);
  });
});

describe('list and watch together', () => {
  const resource = RESOURCES.find(({ plural }) => plural === 'configmaps')!;
  const target = (name: string) => ({ resource, namespace: 'default', name });
  const action = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom('put', 'label', 'unlabel', 'delete'),
  });

  /** Keeps what a client that lists once and then watches would hold. */
  const converges = async (before: Action[], after: Action[], live: boolean): Promise<void> => {
    const store = new Store();
    const registry = new Registry(store, new FakeClock(), Math.random);
    registry.seed(1);
    const request = { resource, namespace: 'default', matches: inSelector };
    const options = { selective: true, limit: 0, continueFrom: '', resourceVersion: '', resourceVersionMatch: '' };
    const read = (): Json => list(store, { ...request, ...options });
    for (const one of before) act(registry, one);
    const first = read();
    const held = new Map<string, Json>();
    const keep = (item: Json): unknown => held.set(textAt(item, 'metadata', 'name'), at(item, 'metadata') ?? null);
    for (const item of (at(first, 'items') ?? []) as Json[]) keep(item);
    const events: WatchEvent[] = [];
    const stop = new AbortController();
    const follow = (): Promise<void> =>
      watch(
        store,
        { ...request, from: Number(versionOf(first)), initialEvents: false, bookmarks: false, timeoutMs: 1 },
        new FakeClock(),
        stop.signal,
        (event) => events.push(event),
      );
    const running = live ? follow() : undefined;
    for (const one of after) act(registry, one);
    const followed = running ?? follow();
    stop.abort(new Error('done'));
    await followed;
    for (const { type, object } of events) {
      const name = textAt(object, 'metadata', 'name');
      // Each event must be possible: nothing is added twice or changed before it was added.
      expect(held.has(name), `${type} ${name}`).to.equal(type !== 'ADDED');
      if (type === 'DELETED') held.delete(name);
      else keep({ ...object });
    }
    const now = ((at(read(), 'items') ?? []) as Json[]).map((item) => at(item, 'metadata'));
    expect([...held.values()].sort((a, b) => textAt(a, 'name').localeCompare(textAt(b, 'name')))).to.deep.equal(now);
  };

  type Action = { readonly name: string; readonly what: string };
  const act = (registry: Registry, { name, what }: Action): void => {
    try {
      if (what === 'put') registry.create(target(name), { metadata: { name, labels: { in: 'yes' } } });
      else if (what === 'delete') registry.delete(target(name));
      else
        registry.patch(target(name), 'main', 'merge', {
          metadata: { labels: { in: what === 'label' ? 'yes' : null } },
        });
    } catch {
      // Refused: nothing happened.
    }
  };

  for (const live of [true, false]) {
    it(`hold the selected objects after any changes, ${live ? 'seen as they happen' : 'replayed from the history'}`, () =>
      fc.assert(
        fc.asyncProperty(fc.array(action), fc.array(action), (before, after) => converges(before, after, live)),
        { numRuns: 100 },
      ));
  }
});
