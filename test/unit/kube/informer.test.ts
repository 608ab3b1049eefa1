import { expect } from 'chai';
import { Informer, type ChangeHandler } from '../../../kube/informer.ts';
import { KubeClient, type Query } from '../../../kube/rest.ts';
import type { KubeObject } from '../../../kube/types.ts';
import { FakeClock } from '../../fake-clock.ts';
import { advanceUntil, ApiServer, memoryLogger, node, sendJson, statusBody, until } from './api-server.ts';

/** Longer than any first pause of a reflector, shorter than a request's time. */
const PAUSE_MS = 2_000;

const version = (object: KubeObject): string => `${object.metadata.name}@${object.metadata.resourceVersion}`;

const recorder = (into: string[]): ChangeHandler<KubeObject> => ({
  added: (object) => void into.push(`added ${version(object)}`),
  updated: (old, current) => void into.push(`updated ${version(old)} ${version(current)}`),
  deleted: (last, unknown) => void into.push(`deleted ${version(last)}${unknown ? ' unseen' : ''}`),
});

describe('Informer', () => {
  let api: ApiServer;
  let clock: FakeClock;
  let logger: ReturnType<typeof memoryLogger>;
  let abort: AbortController;
  let informer: Informer<KubeObject>;
  let heard: number; // events of watches
  let seen: string[];
  let running: Promise<void> | undefined;

  beforeEach(async () => {
    api = new ApiServer();
    await api.start();
    clock = new FakeClock();
    logger = memoryLogger();
    abort = new AbortController();
    const client = new KubeClient({ server: api.url, token: () => undefined }, { userAgent: 'test', logger, clock });
    heard = 0;
    const counting: Pick<KubeClient, 'get' | 'watch'> = {
      get: (path, options) => client.get(path, options),
      async *watch<T extends KubeObject>(path: string, query: Query, signal: AbortSignal) {
        for await (const event of client.watch<T>(path, query, signal)) {
          heard += 1;
          yield event;
        }
      },
    };
    informer = new Informer<KubeObject>({ client: counting, path: '/api/v1/nodes', logger, clock, random: () => 0 });
    seen = [];
    running = undefined;
  });

  afterEach(async () => {
    abort.abort();
    await running;
    await until(() => api.sockets.size === 0 || clock.sleeping === 0);
    await api.stop();
  });

  /** Starts the informer and waits for its first watch. */
  async function start(): Promise<void> {
    informer.onChange(recorder(seen));
    running = informer.run(abort.signal);
    await informer.synced;
    await until(() => api.watches.length === 1);
  }

  const latestWatch = () => api.watches.at(-1)!;

  /** Waits, while the clock goes on in steps of a pause, for a watch after the `count` that there were. */
  const nextWatch = (count: number): Promise<void> => advanceUntil(clock, PAUSE_MS, () => api.watches.length > count);

  it('holds what is listed and what changes, and tells of it in order, with old and new', async () => {
    api.objects = [node('a', '1'), node('b', '2')];
    await start();
    latestWatch().send('ADDED', node('c', '11'));
    latestWatch().send('MODIFIED', node('a', '12'));
    latestWatch().send('DELETED', node('b', '13'));
    await until(() => seen.length === 5);
    expect(seen).to.deep.equal(['added a@1', 'added b@2', 'added c@11', 'updated a@1 a@12', 'deleted b@13']);
    expect(informer.list().map(version)).to.deep.equal(['a@12', 'c@11']);
    expect(informer.get('b')).to.equal(undefined);
  });

  it('knows namespaced objects by namespace and name', async () => {
    const object = { metadata: { namespace: 'ns', name: 'a', resourceVersion: '1' } };
    api.objects = [object];
    await start();
    expect(informer.get('ns/a')?.metadata).to.deep.equal(object.metadata);
    expect(informer.get('a')).to.equal(undefined);
  });

  it('gives listed objects the kind and apiVersion that lists leave out', async () => {
    api.objects = [{ metadata: { name: 'a', resourceVersion: '1' } }];
    await start();
    expect(informer.get('a')).to.deep.include({ apiVersion: 'v1', kind: 'Node' });
  });

  it('the store has a change already when handlers are told', async () => {
    const states: unknown[] = [];
    informer.onChange({
      added: (object) => void states.push(informer.get('a') === object),
      updated: (_old, current) => void states.push(informer.get('a') === current),
      deleted: () => void states.push(informer.get('a')),
    });
    await start();
    for (const [type, rv] of [
      ['ADDED', '11'],
      ['MODIFIED', '12'],
      ['DELETED', '13'],
    ] as const)
      latestWatch().send(type, node('a', rv));
    await until(() => states.length === 3);
    expect(states).to.deep.equal([true, true, undefined]);
  });

  it('has synced only after every initial object was handed over', async () => {
    api.objects = [node('a', '1'), node('b', '2')];
    const syncedDuring: boolean[] = [];
    informer.onChange({ added: () => void syncedDuring.push(informer.hasSynced) });
    expect(informer.hasSynced).to.equal(false);
    await start();
    expect(syncedDuring).to.deep.equal([false, false]);
    expect(informer.hasSynced).to.equal(true);
  });

  it('synced rejects when the end comes before the first list', async () => {
    api.answer = () => undefined;
    running = informer.run(abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await informer.synced.then(
      () => expect.fail('it has synced'),
      (error: unknown) => expect(error).to.equal(reason),
    );
  });

  it('an unchanged resourceVersion is no change', async () => {
    api.objects = [node('a', '1')];
    await start();
    latestWatch().send('MODIFIED', node('a', '1', { other: 'label' }));
    latestWatch().send('MODIFIED', node('a', '11'));
    await until(() => seen.length === 2);
    expect(seen).to.deep.equal(['added a@1', 'updated a@1 a@11']);
  });

  it('a handler that throws keeps nothing from the others, and is logged', async () => {
    const failed = new Error('handler');
    informer.onChange({
      added: () => {
        throw failed;
      },
    });
    api.objects = [node('a', '1'), node('b', '2')];
    await start();
    expect(seen).to.deep.equal(['added a@1', 'added b@2']);
    expect(logger.lines.map((line) => [line.error, line.fields?.['key']])).to.deep.equal([
      [failed, 'a'],
      [failed, 'b'],
    ]);
  });

  it('refuses handlers once it runs, and a second run', async () => {
    await start();
    expect(() => informer.onChange({})).to.throw('handlers come before');
    expect(await informer.run(abort.signal).catch(String)).to.contain('runs already');
  });

  it('resyncs each handler at its own period, with the same object as old and new', async () => {
    const slow: string[] = [];
    const fast: string[] = [];
    informer.onChange({ ...recorder(slow), resyncMs: 100_000 });
    informer.onChange({ ...recorder(fast), resyncMs: 30_000 });
    api.objects = [node('a', '1')];
    await start();
    await clock.advance(100_000);
    expect(fast).to.deep.equal(['added a@1', 'updated a@1 a@1', 'updated a@1 a@1', 'updated a@1 a@1']);
    expect(slow).to.deep.equal(['added a@1', 'updated a@1 a@1']);
    expect(seen).to.deep.equal(['added a@1']);
  });

  it('resyncs at most once a second', async () => {
    const fast: string[] = [];
    informer.onChange({ ...recorder(fast), resyncMs: 1 });
    api.objects = [node('a', '1')];
    await start();
    await clock.advance(3_000);
    expect(fast).to.have.length(4);
  });

  describe('after a gap', () => {
    /** What the server did meanwhile: a vanished, b changed, c stayed, d came. */
    const changed = [node('b', '22'), node('c', '3'), node('d', '23')];
    const told = ['updated b@2 b@22', 'added d@23', 'deleted a@1 unseen'];

    beforeEach(async () => {
      api.objects = [node('a', '1'), node('b', '2'), node('c', '3')];
      await start();
      seen.length = 0;
      api.objects = changed;
      api.version = '30';
    });

    async function expectCaughtUp(): Promise<void> {
      await nextWatch(1);
      expect(seen).to.deep.equal(told);
      expect(informer.list().map(version).sort()).to.deep.equal(['b@22', 'c@3', 'd@23']);
      expect(latestWatch().query['resourceVersion']).to.equal('30');
      latestWatch().send('DELETED', node('d', '31'));
      await until(() => seen.length === told.length + 1);
    }

    it('of a 410 in the stream it catches up by a list, with the last known state of what vanished', async () => {
      latestWatch().send('ERROR', statusBody(410, 'Expired'));
      await expectCaughtUp();
      expect(api.lists).to.deep.equal(['0', '10']);
    });

    it('of a 410 on the stream and on the list it catches up by a list of the newest', async () => {
      let refusals = 1;
      const { objects } = api;
      api.answer = (request, response) => {
        if (request.query['resourceVersion'] === '10' && refusals-- > 0) {
          sendJson(response, 410, statusBody(410, 'Expired'));
          return;
        }
        api.answer = undefined;
        sendJson(response, 200, { kind: 'NodeList', metadata: { resourceVersion: '30' }, items: objects });
      };
      latestWatch().send('ERROR', statusBody(410, 'Expired'));
      await expectCaughtUp();
      expect(api.lists).to.deep.equal(['0', '10', 'newest']);
    });

    it('of a 500 on the next watch it catches up by a list', async () => {
      api.answerWatch = (_request, response) => {
        api.answerWatch = undefined;
        sendJson(response, 500, statusBody(500, 'InternalError'));
      };
      latestWatch().send('BOOKMARK', node('', '11'));
      latestWatch().response.end();
      await expectCaughtUp();
      expect(api.lists).to.deep.equal(['0', '11']);
    });

    it('of a line that was cut off it catches up by a list', async () => {
      latestWatch().response.end('{"type":"DELETED","object":{"metadata":{"na');
      await expectCaughtUp();
    });

    it('of a restarted API server it catches up by a list', async () => {
      await api.stop();
      await advanceUntil(clock, PAUSE_MS, () => logger.lines.filter((line) => line.level === 'error').length >= 3);
      expect(informer.list()).to.have.length(3);
      await api.start();
      await expectCaughtUp();
    });
  });

  describe('without a list', () => {
    beforeEach(start);

    it('goes on after a half-open connection, at the last bookmark', async () => {
      latestWatch().send('BOOKMARK', node('', '17'));
      latestWatch().send('ADDED', node('a', '18'));
      latestWatch().send('BOOKMARK', node('', '19'));
      await until(() => seen.length === 1);
      await advanceUntil(clock, 50_000, () => api.watches.length > 1);
      expect(latestWatch().query['resourceVersion']).to.equal('19');
      expect(api.lists).to.deep.equal(['0']);
    });

    it('goes on after a 429 without Retry-After, after a pause', async () => {
      api.answerWatch = (_request, response) => {
        api.answerWatch = undefined;
        sendJson(response, 429, statusBody(429, 'TooManyRequests'));
      };
      latestWatch().send('BOOKMARK', node('', '17'));
      latestWatch().response.end();
      await until(() => logger.lines.length === 1);
      await clock.advance(799);
      expect(api.watches).to.have.length(1);
      await clock.advance(1);
      await until(() => api.watches.length === 2);
      expect(latestWatch().query['resourceVersion']).to.equal('17');
      expect(api.lists).to.deep.equal(['0']);
    });

    it('goes on after a 429 with Retry-After, after exactly that time', async () => {
      api.answerWatch = (_request, response) => {
        api.answerWatch = undefined;
        sendJson(response, 429, statusBody(429, 'TooManyRequests'), { 'retry-after': '3' });
      };
      latestWatch().send('BOOKMARK', node('', '17'));
      latestWatch().response.end();
      await until(() => logger.lines.length === 1);
      await clock.advance(2_999);
      expect(api.watches).to.have.length(1);
      await clock.advance(1);
      await until(() => api.watches.length === 2);
      expect(latestWatch().query['resourceVersion']).to.equal('17');
      expect(api.lists).to.deep.equal(['0']);
    });
  });

  it('an hour in which nothing comes but bookmarks costs no list and no pause', async () => {
    api.objects = [node('a', '1')];
    await start();
    let opened = 0;
    for (let minute = 1; minute <= 60; minute += 1) {
      const watch = latestWatch();
      watch.send('BOOKMARK', node('', String(1_000 + minute)));
      await until(() => heard === minute);
      // The server ends each watch after some minutes; one that is new has to be there before time goes on.
      if (minute % 8 === 0) {
        opened = api.watches.length;
        watch.response.end();
        await until(() => api.watches.length === opened + 1);
        expect(latestWatch().query['resourceVersion']).to.equal(String(1_000 + minute));
      }
      await clock.advance(60_000);
    }
    expect(api.watches).to.have.length(8);
    expect(api.lists).to.deep.equal(['0']);
    expect(seen).to.deep.equal(['added a@1']);
    expect(logger.lines).to.deep.equal([]);
  });

  it('an abort leaves no connection, no timer and no further call', async () => {
    informer.onChange({ resyncMs: 30_000 });
    await start();
    abort.abort();
    await running;
    await until(() => latestWatch().closed);
    expect(clock.sleeping).to.equal(0);
    expect(api.requests).to.have.length(2);
  });
});
