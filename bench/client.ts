import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import { create } from 'axios';
import { XMLParser } from 'fast-xml-parser';
import { systemClock } from '../daemon/clock.ts';
import { Nifcloud } from '../nifcloud/nifcloud.ts';
import { median, type Figure } from './figure.ts';

/** How long each client sends calls. */
const MEASURED_MS = 2_000;
/** Calls under way at once. */
const CALLERS = 20;
/** A form of the size that a signed call has. */
const FORM = `Action=AttachVolume&${'Parameter=value&'.repeat(20)}`;

const never = new AbortController().signal;

/** What the cloud client costs, against what it is made of; see the README of `nifcloud/`. */
export async function clientFigures(): Promise<readonly Figure[]> {
  return [
    await callFigure(),
    ...(await listingFigures(1_000)),
    ...(await listingFigures(10_000)),
    await waiterFigure(),
  ];
}

/** A cloud in a thread of its own, so that what is measured is the client. */
async function withCloud<T>(disks: number, measure: (endpoint: string) => Promise<T>): Promise<T> {
  const worker = new Worker(new URL('client-cloud.ts', import.meta.url), { workerData: { disks } });
  try {
    const [address] = (await once(worker, 'message')) as [AddressInfo];
    return await measure(`http://127.0.0.1:${address.port}`);
  } finally {
    await worker.terminate();
  }
}

function connect(endpoint: string, pollIntervalMs = 3_000): Nifcloud {
  return new Nifcloud({
    region: 'jp-east-1',
    endpoint,
    credentials: () => ({ accessKeyId: 'KEY', secretAccessKey: 'secret' }),
    userAgent: 'bench',
    clock: systemClock,
    logger: { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} },
    qps: 1_000_000,
    burst: 1_000_000,
    pollIntervalMs,
  });
}

function callFigure(): Promise<Figure> {
  return withCloud(0, async (endpoint) => {
    const cloud = connect(endpoint);
    const agent = new Agent({ keepAlive: true });
    const axios = create({ httpAgent: agent, proxy: false });
    const clients: Record<string, () => Promise<unknown>> = {
      ours: () => cloud.volumes.attach({ volumeId: 'vol1', serverName: 'node1' }, never),
      axios: () => axios.post(`${endpoint}/api/`, FORM),
      'node:http': () => post(`${endpoint}/api/`, agent),
    };
    const values: Record<string, number> = {};
    for (const [name, call] of Object.entries(clients)) {
      await callsPerSecond(call, MEASURED_MS / 4); // until it is compiled
      values[name] = await callsPerSecond(call, MEASURED_MS);
    }
    agent.destroy();
    return { what: `small calls, ${CALLERS} at a time`, unit: 'calls/s', values };
  });
}

async function callsPerSecond(call: () => Promise<unknown>, durationMs: number): Promise<number> {
  const startedAtMs = performance.now();
  let calls = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - startedAtMs < durationMs) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return Math.round((calls * 1_000) / (performance.now() - startedAtMs));
}

function post(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(FORM);
  });
}

function listingFigures(disks: number): Promise<readonly Figure[]> {
  return withCloud(disks, async (endpoint) => {
    const cloud = connect(endpoint);
    const axios = create({ proxy: false, responseType: 'text' });
    const parser = new XMLParser({ parseTagValue: false });
    const took: Record<string, number> = {};
    const blocked: Record<string, number> = {};
    const clients: Record<string, () => Promise<unknown>> = {
      ours: () => cloud.volumes.list(never),
      'axios and fast-xml-parser': async () => {
        const { data } = await axios.post<string>(`${endpoint}/api/`, 'Action=DescribeVolumes');
        return parser.parse(data, true) as unknown;
      },
    };
    for (const [name, list] of Object.entries(clients)) {
      const runs: { tookMs: number; longestBlockMs: number }[] = [];
      for (let run = 0; run < 7; run++) runs.push(await watched(list));
      took[name] = median(runs.map(({ tookMs }) => tookMs));
      blocked[name] = median(runs.map(({ longestBlockMs }) => longestBlockMs));
    }
    const what = `DescribeVolumes of ${disks} disks`;
    return [
      { what, unit: 'ms', values: took },
      { what: `${what}, longest block of the event loop`, unit: 'ms', values: blocked },
    ];
  });
}

/** Time that something takes, and the longest in which the event loop did not come round. */
async function watched(work: () => Promise<unknown>): Promise<{ tookMs: number; longestBlockMs: number }> {
  const startedAtMs = performance.now();
  let lastMs = startedAtMs;
  let longestBlockMs = 0;
  let turn: NodeJS.Immediate | undefined;
  const look = (): void => {
    longestBlockMs = Math.max(longestBlockMs, performance.now() - lastMs);
    lastMs = performance.now();
    turn = setImmediate(look);
  };
  look();
  await work();
  const tookMs = performance.now() - startedAtMs;
  await new Promise(setImmediate); // what ran last counts too
  clearImmediate(turn);
  return { tookMs, longestBlockMs };
}

/** Calls for disks that take five looks to get where they are wanted, for one that waits and for fifty. */
async function waiterFigure(): Promise<Figure> {
  const values: Record<string, number> = {};
  for (const waiters of [1, 50]) {
    let looks = 0;
    const server = createServer((received, response) => {
      received.resume();
      received.on('end', () => {
        looks += 1;
        const status = looks < 5 ? 'attaching' : 'attached';
        const disks = Array.from(
          { length: waiters },
          (_, at) => `<item><volumeId>vol${at}</volumeId><status>${status}</status></item>`,
        );
        response.end(`<DescribeVolumesResponse><volumeSet>${disks.join('')}</volumeSet></DescribeVolumesResponse>`);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { volumes } = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 50);
    const arrived = (id: string): Promise<boolean> =>
      volumes.until(id, (volume) => volume?.status === 'attached' || undefined, never);
    await Promise.all(Array.from({ length: waiters }, (_, at) => arrived(`vol${at}`)));
    values[waiters === 1 ? '1 waiter' : `${waiters} waiters`] = looks;
    server.closeAllConnections();
    server.close();
  }
  return { what: 'calls until disks are attached, five looks later', unit: 'calls', values };
}
