import { expect } from 'chai';
import { KubeConnectionError, KubeError } from '../../../kube/errors.ts';
import { Reflector } from '../../../kube/reflector.ts';
import type { Query } from '../../../kube/rest.ts';
import type { KubeList, KubeObject, WatchEvent } from '../../../kube/types.ts';
import { FakeClock } from '../../fake-clock.ts';
import { memoryLogger, node } from './api-server.ts';

/** What the server does with the next list or watch. */
type Step =
  | { readonly list: string; readonly items?: readonly KubeObject[]; readonly continue?: string }
  | { readonly listFails: Error }
  | {
      readonly watch: readonly (readonly [string, KubeObject])[];
      /** How long it stays open, in ms; default: for ever. */
      readonly lastsMs?: number;
      readonly failsWith?: Error;
    }
  | { readonly watchFails: Error };

const gone = new KubeError({ code: 410, reason: 'Expired' });
const tooMany = new KubeError({ code: 429, reason: 'TooManyRequests' });
const internal = new KubeError({ code: 500, reason: 'InternalError' });
const refused = new KubeConnectionError('refused', 'ECONNREFUSED');
const reset = new KubeConnectionError('reset', 'ECONNRESET');
const quiet = new KubeConnectionError('quiet', 'QUIET');
const truncated = new KubeConnectionError('truncated', 'MALFORMED');
const tooLarge = new KubeError({
  code: 504,
  reason: 'Timeout',
  details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
});

const open: Step = { watch: [] };
const bookmark = (version: string) => ['BOOKMARK', node('', version)] as const;

/** Runs a reflector against the steps for ten minutes. */
async function play(steps: readonly Step[], random = 0) {
  const clock = new FakeClock();
  const logger = memoryLogger();
  const abort = new AbortController();
  const left = [...steps];
  const calls: string[] = []; // '<ms since the start> list|watch <resourceVersion>'
  const queries: Query[] = [];
  const store: string[] = [];
  const note = (verb: string, query: Query): void => {
    const version = query['continue'] === undefined ? (query['resourceVersion'] ?? 'newest') : query['continue'];
    calls.push(`${clock.monotonicMs()} ${verb} ${String(version)}`);
    queries.push(query);
  };
  const client = {
    get<T>(_path: string, { query = {} }: { query?: Query }): Promise<T> {
      note('list', query);
      const step = left.shift();
      if (step !== undefined && 'listFails' in step) return Promise.reject(step.listFails);
      if (step === undefined || !('list' in step)) throw new Error(`unexpected list, want ${JSON.stringify(step)}`);
      const list: KubeList<KubeObject> = {
        kind: 'NodeList',
        apiVersion: 'v1',
        metadata: {
          resourceVersion: step.list,
          ...(step.continue === undefined ? {} : { continue: step.continue }),
        },
        items: step.items ?? [],
      };
      return Promise.resolve(list as T);
    },
    async *watch<T extends KubeObject>(_path: string, query: Query, signal: AbortSignal) {
      note('watch', query);
      const step = left.shift();
      if (step !== undefined && 'watchFails' in step) throw step.watchFails;
      if (step === undefined || !('watch' in step)) throw new Error(`unexpected watch, want ${JSON.stringify(step)}`);
      for (const [type, object] of step.watch) yield { type, object } as WatchEvent<T>;
      await clock.sleep(step.lastsMs ?? (step.failsWith === undefined ? 3_600_000 : 0), signal);
      if (step.failsWith !== undefined) throw step.failsWith;
    },
  };
  const done = new Reflector<KubeObject>({
    client,
    path: '/api/v1/nodes',
    store: {
      replace: (objects) => void store.push(`= ${objects.map((object) => object.metadata.name).join(' ')}`),
      set: (object) => void store.push(`+ ${object.metadata.name}`),
      remove: (object) => void store.push(`- ${object.metadata.name}`),
    },
    logger,
    clock,
    random: () => random,
  }).run(abort.signal);
  await clock.advance(600_000);
  abort.abort();
  await done;
  expect(left, 'steps that were not asked for').to.deep.equal([]);
  expect(clock.sleeping).to.equal(0);
  return { calls, queries, store, logger };
}

describe('Reflector', () => {
  const cases: readonly [string, readonly Step[], readonly string[]][] = [
    ['lists from the cache, then watches from that version', [{ list: '10' }, open], ['0 list 0', '0 watch 10']],
    [
      'a watch that ends in order is opened again at once, at the version of the last event',
      [{ list: '10' }, { watch: [['ADDED', node('a', '11')]], lastsMs: 5 }, open],
      ['0 list 0', '0 watch 10', '5 watch 11'],
    ],
    [
      'a bookmark moves the version forward',
      [{ list: '10' }, { watch: [bookmark('12')], lastsMs: 2_000 }, open],
      ['0 list 0', '0 watch 10', '2000 watch 12'],
    ],
    [
      'an hour of nothing but bookmarks needs no list',
      [{ list: '10' }, ...['20', '30', '40'].map((v) => ({ watch: [bookmark(v)], lastsMs: 100_000 })), open],
      ['0 list 0', '0 watch 10', '100000 watch 20', '200000 watch 30', '300000 watch 40'],
    ],
    [
      'a watch that ends in order without an event is opened again at once',
      [{ list: '10' }, { watch: [], lastsMs: 1_000 }, open],
      ['0 list 0', '0 watch 10', '1000 watch 10'],
    ],
    [
      'a watch that ends within a second without an event has failed',
      [{ list: '10' }, { watch: [], lastsMs: 999 }, { list: '10' }, open],
      ['0 list 0', '0 watch 10', '1799 list 10', '1799 watch 10'],
    ],
    [
      'a list answered 410 is asked again at once for the newest',
      [{ listFails: gone }, { list: '50' }, open],
      ['0 list 0', '0 list newest', '0 watch 50'],
    ],
    [
      'a list at a version that the server has not yet is asked again at once for the newest',
      [{ list: '90' }, { watchFails: internal }, { listFails: tooLarge }, { list: '40' }, open],
      ['0 list 0', '0 watch 90', '800 list 90', '800 list newest', '800 watch 40'],
    ],
    [
      'a list that fails otherwise is tried again after a pause',
      [{ listFails: internal }, { listFails: refused }, { list: '10' }, open],
      ['0 list 0', '800 list 0', '2400 list 0', '2400 watch 10'],
    ],
    [
      'pauses double up to 30 s',
      [...Array.from({ length: 8 }, () => ({ listFails: internal })), { list: '10' }, open],
      [0, 800, 2_400, 5_600, 12_000, 24_800, 50_400, 80_400, 110_400]
        .map((ms) => `${ms} list 0`)
        .concat('110400 watch 10'),
    ],
    [
      'after two quiet minutes pauses start short again',
      [
        { listFails: internal },
        { listFails: internal },
        { list: '10' },
        { watch: [bookmark('11')], failsWith: internal, lastsMs: 120_000 },
        { list: '12' },
        open,
      ],
      ['0 list 0', '800 list 0', '2400 list 0', '2400 watch 10', '123200 list 11', '123200 watch 12'],
    ],
    [
      'a watch that finds nobody listening is opened again after a pause, at the same version, without a list',
      [{ list: '10' }, { watchFails: refused }, { watchFails: refused }, open],
      ['0 list 0', '0 watch 10', '800 watch 10', '2400 watch 10'],
    ],
    [
      'a watch refused with 429 is opened again after a pause, at the same version, without a list',
      [{ list: '10' }, { watchFails: tooMany }, open],
      ['0 list 0', '0 watch 10', '800 watch 10'],
    ],
    [
      'a watch refused with 410 leads to a list at the last version, then to one of the newest',
      [{ list: '10' }, { watchFails: gone }, { listFails: gone }, { list: '99' }, open],
      ['0 list 0', '0 watch 10', '800 list 10', '800 list newest', '800 watch 99'],
    ],
    [
      'a watch refused otherwise leads to a list after a pause',
      [{ list: '10' }, { watchFails: internal }, { list: '10' }, open],
      ['0 list 0', '0 watch 10', '800 list 10', '800 watch 10'],
    ],
    [
      'an ERROR event 410 leads to a list at the last version',
      [{ list: '10' }, { watch: [bookmark('15')], failsWith: gone }, { list: '20' }, open],
      ['0 list 0', '0 watch 10', '800 list 15', '800 watch 20'],
    ],
    [
      'an ERROR event 429 opens again after a pause at the last version',
      [{ list: '10' }, { watch: [bookmark('15')], failsWith: tooMany }, open],
      ['0 list 0', '0 watch 10', '800 watch 15'],
    ],
    [
      'an ERROR event 500 leads to a list after a pause',
      [{ list: '10' }, { watch: [bookmark('15')], failsWith: internal }, { list: '20' }, open],
      ['0 list 0', '0 watch 10', '800 list 15', '800 watch 20'],
    ],
    [
      'a broken stream leads to a list after a pause',
      [
        { list: '10' },
        { watch: [], failsWith: reset },
        { list: '20' },
        { watch: [], failsWith: truncated },
        { list: '30' },
        open,
      ],
      ['0 list 0', '0 watch 10', '800 list 10', '800 watch 20', '2400 list 20', '2400 watch 30'],
    ],
    [
      'a watch that went silent is opened again at once at the last version',
      [{ list: '10' }, { watch: [bookmark('15')], failsWith: quiet, lastsMs: 150_000 }, open],
      ['0 list 0', '0 watch 10', '150000 watch 15'],
    ],
    [
      'a list in pages is read to its end',
      [{ list: '10', continue: 'page2' }, { list: '10', continue: 'page3' }, { list: '10' }, open],
      ['0 list 0', '0 list page2', '0 list page3', '0 watch 10'],
    ],
  ];
  for (const [name, steps, expected] of cases) {
    it(name, async () => {
      const { calls } = await play(steps);
      expect(calls).to.deep.equal(expected);
    });
  }

  it('draws each pause from [d, 2d)', async () => {
    const steps: Step[] = [{ listFails: internal }, { listFails: internal }, { list: '10' }, open];
    const { calls } = await play(steps, 0.5);
    expect(calls).to.deep.equal(['0 list 0', '1200 list 0', '3600 list 0', '3600 watch 10']);
  });

  it('asks for bookmarks, and for an end after 300 to 600 s', async () => {
    const asked = { resourceVersion: '10', allowWatchBookmarks: true };
    for (const [random, timeoutSeconds] of [
      [0, 300],
      [0.999999, 599],
    ] as const) {
      const { queries } = await play([{ list: '10' }, open], random);
      expect(queries[1]).to.deep.equal({ ...asked, timeoutSeconds });
    }
  });

  it('asks for pages except at a certain version, which the cache answers', async () => {
    const steps: Step[] = [{ list: '10' }, { watchFails: gone }, { listFails: gone }, { list: '99' }, open];
    const { queries } = await play(steps);
    expect(queries.map((query) => query['limit'])).to.deep.equal([500, undefined, undefined, 500, undefined]);
  });

  it('tells the store what the list and the events say, and nothing of bookmarks', async () => {
    const { store } = await play([
      { list: '10', items: [node('a', '1'), node('b', '2')], continue: 'page2' },
      { list: '10', items: [node('c', '3')] },
      {
        watch: [
          ['ADDED', node('d', '11')],
          ['MODIFIED', node('a', '12')],
          ['DELETED', node('b', '13')],
          bookmark('14'),
        ],
      },
    ]);
    expect(store).to.deep.equal(['= a b c', '+ d', '+ a', '- b']);
  });

  it('ignores, with a warning, events of another kind and of unknown types', async () => {
    const pod = { ...node('p', '11'), kind: 'Pod' };
    const watch = [
      ['ADDED', pod],
      ['SHRUNK', node('a', '12')],
    ] as const;
    const { store, logger, calls } = await play([{ list: '10' }, { watch, lastsMs: 1_000 }, open]);
    expect(store).to.deep.equal(['= ']);
    expect(logger.lines.map((line) => line.level)).to.deep.equal(['warn', 'warn']);
    expect(calls.at(-1)).to.equal('1000 watch 12');
  });

  it('logs a failure as an error, and a version that is no longer kept only when asked to', async () => {
    const { logger } = await play([
      { list: '1' },
      { watchFails: gone },
      { list: '2' },
      { watchFails: internal },
      { list: '3' },
      open,
    ]);
    expect(logger.lines.map((line) => [line.level, line.error])).to.deep.equal([
      ['debug', undefined],
      ['error', internal],
    ]);
  });
});
