import { once } from 'node:events';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../daemon/clock.ts';
import { Informer } from '../kube/informer.ts';
import { KubeClient } from '../kube/rest.ts';
import { startApiServer } from '../simulator/kubernetes/server.ts';
import { median, type Figure } from './figure.ts';

/** Nodes of the cluster, and events that each watch brings before it ends. */
const NODES = 1_000;
const EVENTS_OF_WATCH = 100;
/** n: 10,000 events, hence 100 watches; ten times as much is what must not show. */
const N = 10_000;
const STARTS = 9;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What the informer costs while it runs for long; see the README of `kube/`. */
export async function kubeFigures(): Promise<readonly Figure[]> {
  const workerData = { nodes: NODES, eventsOfWatch: EVENTS_OF_WATCH };
  const worker = new Worker(new URL('kube-server.ts', import.meta.url), { workerData });
  try {
    const [{ port }] = (await once(worker, 'message')) as [AddressInfo];
    const server = `http://127.0.0.1:${port}`;
    const few = await runInformer(server, N);
    const many = await runInformer(server, 10 * N);
    const what = `watch events of ${NODES} nodes, a reconnect for each ${EVENTS_OF_WATCH}`;
    return [
      {
        what: `${what}: memory after n = ${N} events`,
        unit: 'MB',
        values: { n: few.memoryMB, '10 n': many.memoryMB },
      },
      {
        what,
        unit: 'events/s',
        values: { ours: many.eventsPerSecond, 'node:http and JSON.parse': await readBare(server) },
      },
      await startFigure(),
    ];
  } finally {
    await worker.terminate();
  }
}

/** How soon tests have an API. */
async function startFigure(): Promise<Figure> {
  const tookMs: number[] = [];
  for (let nth = 0; nth < STARTS; nth += 1) {
    const startedAtMs = performance.now();
    const api = await startApiServer();
    tookMs.push(performance.now() - startedAtMs);
    await api.stop();
  }
  const values = { 'the first time': tookMs[0] ?? 0, median: median(tookMs) };
  return { what: 'simulator of Kubernetes: start', unit: 'ms', values };
}

/** Follows so many events; the memory is that with all that the informer holds. */
async function runInformer(server: string, wanted: number): Promise<{ memoryMB: number; eventsPerSecond: number }> {
  const stop = new AbortController();
  const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
  const client = new KubeClient(
    { server, token: () => 'token' },
    { userAgent: 'bench', logger, clock: systemClock, qps: 1_000_000, burst: 1_000_000 },
  );
  const nodes = new Informer({ client, path: '/api/v1/nodes', logger, clock: systemClock });
  let events = 0;
  const count = (): void => {
    events += 1;
    if (events === wanted) stop.abort();
  };
  nodes.onChange({ added: count, updated: count });
  const startedAtMs = performance.now();
  await nodes.run(stop.signal);
  const eventsPerSecond = Math.round((events * 1_000) / (performance.now() - startedAtMs));
  for (let round = 0; round < 3; round += 1) {
    await new Promise(setImmediate); // the last connection goes
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  if (nodes.list().length !== NODES) throw new Error('not every node was seen');
  return { memoryMB: (heapUsed + external) / 1_000_000, eventsPerSecond };
}

/** As much as it takes to have the objects, and nothing else. Answers events in a second. */
async function readBare(server: string): Promise<number> {
  const startedAtMs = performance.now();
  let events = 0;
  while (events < 10 * N) {
    const [response] = await once(get(`${server}/api/v1/nodes?watch=true`), 'response');
    let rest = '';
    for await (const chunk of response) {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        JSON.parse(line);
        events += 1;
      }
    }
  }
  return Math.round((events * 1_000) / (performance.now() - startedAtMs));
}
