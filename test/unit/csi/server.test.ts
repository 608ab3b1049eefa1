import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { Client, credentials, status } from '@grpc/grpc-js';
import type { CallOptions, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { MethodDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { expect } from 'chai';
import { identity } from '../../../csi/identity.ts';
import { RpcError } from '../../../csi/rpc-error.ts';
import { RpcServer } from '../../../csi/server.ts';
import type { Handlers } from '../../../csi/server.ts';
import { systemClock } from '../../../daemon/clock.ts';
import type { Clock } from '../../../daemon/clock.ts';
import { createLogger } from '../../../daemon/logger.ts';
import type { Logger } from '../../../daemon/logger.ts';

const proto = loadSync('proto/csi.proto', {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});

/** A gRPC client as the sidecars are: over the socket, with the official wire format. */
class CsiClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  call(rpc: string, request: object = {}, options: CallOptions = {}): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      this.begin(rpc, request, options, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  begin(
    path: string,
    request: object,
    options: CallOptions,
    done: (error: ServiceError | null, answer: Record<string, unknown>) => void,
  ): ClientUnaryCall {
    const [service = '', rpc = ''] = path.split('/');
    const method = (proto[`csi.v1.${service}`] as ServiceDefinition)[rpc] as MethodDefinition<object, object>;
    const { requestSerialize, responseDeserialize } = method;
    const deserialize = responseDeserialize as (bytes: Buffer) => Record<string, unknown>;
    return this.#client.makeUnaryRequest(
      method.path,
      requestSerialize,
      deserialize,
      request,
      options,
      (error, answer) => done(error, answer ?? {}),
    );
  }

  async refusal(
    rpc: string,
    request: object = {},
    options: CallOptions = {},
  ): Promise<{ code: string; details: string }> {
    const error = (await this.call(rpc, request, options).then(
      () => expect.fail(`${rpc} was not refused`),
      (thrown: unknown) => thrown,
    )) as ServiceError;
    return { code: status[error.code] ?? String(error.code), details: error.details };
  }

  close(): void {
    this.#client.close();
  }
}

/** A clock whose sleeps end when the test says so. */
class HandClock implements Clock {
  readonly now = (): number => Date.now();
  readonly monotonicMs = (): number => performance.now();
  readonly sleeping = new Map<number, () => void>();

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sleeping.set(delayMs, resolve);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  async untilAsleep(delayMs: number): Promise<void> {
    while (!this.sleeping.has(delayMs)) await new Promise(setImmediate);
  }

  /** Ends the sleep of this length, as soon as somebody sleeps so. */
  async pass(delayMs: number): Promise<void> {
    await this.untilAsleep(delayMs);
    this.sleeping.get(delayMs)?.();
    this.sleeping.delete(delayMs);
  }
}

describe('RpcServer', () => {
  let folder: string;
  let path: string;
  const cleanups: (() => Promise<unknown> | void)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'csi-server-'));
    path = join(folder, 'csi.sock');
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    await rm(folder, { recursive: true });
  });

  const lines: string[] = [];
  const recording = (verbosity: number): Logger => {
    lines.length = 0;
    const stream = new Writable({
      write(line, _encoding, done) {
        lines.push(String(line));
        done();
      },
    });
    return createLogger({ format: 'json', verbosity, secrets: () => [], stream });
  };
  const silent: Logger = { info() {}, warn() {}, error() {}, debug() {} };

  async function serve(Node: Handlers, clock: Clock = systemClock, logger: Logger = silent): Promise<RpcServer> {
    const services = { Identity: identity, Node };
    return RpcServer.start({ endpoint: { kind: 'unix', path }, services, logger, clock });
  }

  async function connected(Node: Handlers, clock?: Clock, logger?: Logger): Promise<CsiClient> {
    const server = await serve(Node, clock, logger);
    const client = new CsiClient(server.address);
    cleanups.push(
      () => server.stop(),
      () => client.close(),
    );
    return client;
  }

  it('answers on a socket that owner and group can use', async () => {
    const client = await connected({});
    expect(await client.call('Identity/GetPluginInfo')).to.include({ name: 'additional-storage.csi.nifcloud.com' });
    expect(await client.call('Identity/Probe')).to.deep.equal({ ready: { value: true } });
    expect((await stat(path)).mode & 0o777).to.equal(0o660);
  });

  it('offers the same plugin capabilities in every mode', async () => {
    const client = await connected({});
    const { capabilities } = (await client.call('Identity/GetPluginCapabilities')) as {
      capabilities: { service?: { type: string }; volume_expansion?: { type: string } }[];
    };
    expect(capabilities.map((one) => one.service?.type ?? one.volume_expansion?.type)).to.deep.equal([
      'CONTROLLER_SERVICE',
      'VOLUME_ACCESSIBILITY_CONSTRAINTS',
      'ONLINE',
    ]);
  });

  it('answers UNIMPLEMENTED for what is not served', async () => {
    const client = await connected({});
    expect((await client.refusal('Node/NodeGetInfo')).code).to.equal('UNIMPLEMENTED');
    expect((await client.refusal('Controller/CreateVolume')).code).to.equal('UNIMPLEMENTED');
  });

  it('hands on code and message of an RpcError, with its causes', async () => {
    const cause = new Error('ディスクがない');
    const client = await connected({
      NodeGetInfo: async () => {
        throw new RpcError(status.NOT_FOUND, 'no such volume', { cause });
      },
    });
    expect(await client.refusal('Node/NodeGetInfo')).to.deep.equal({
      code: 'NOT_FOUND',
      details: 'no such volume: ディスクがない',
    });
  });

  it('answers INTERNAL when a handler throws at once, or rejects with anything else', async () => {
    const client = await connected({
      NodeGetInfo: () => {
        throw new TypeError('thrown at once');
      },
      NodeGetCapabilities: () => Promise.reject(new Error('rejected later')),
    });
    expect(await client.refusal('Node/NodeGetInfo')).to.deep.equal({ code: 'INTERNAL', details: 'thrown at once' });
    expect((await client.refusal('Node/NodeGetCapabilities')).details).to.equal('rejected later');
  });

  it('takes no exit status of a child for a gRPC code', async () => {
    const client = await connected({
      NodeGetInfo: async () => promisify(execFile)('sh', ['-c', 'echo busy >&2; exit 16']),
    });
    const { code, details } = await client.refusal('Node/NodeGetInfo');
    expect(code).to.equal('INTERNAL');
    expect(details).to.contain('busy');
  });

  it('cuts a long message', async () => {
    const client = await connected({ NodeGetInfo: () => Promise.reject(new Error('x'.repeat(20_000))) });
    expect((await client.refusal('Node/NodeGetInfo')).details.length).to.equal(2_000);
  });

  it('aborts the signal when the caller cancels', async () => {
    const ended = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const client = await connected({
      NodeGetInfo: (_request, signal) => {
        signal.addEventListener('abort', () => ended.resolve(signal.reason));
        begun.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      },
    });
    const call = client.begin('Node/NodeGetInfo', {}, {}, () => undefined);
    await begun.promise;
    call.cancel();
    expect(await ended.promise).to.have.property('code', status.CANCELLED);
  });

  it('aborts the signal when the deadline passes', async () => {
    const ended = Promise.withResolvers<unknown>();
    const client = await connected({
      NodeGetInfo: (_request, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            ended.resolve(signal.reason);
            reject(signal.reason as Error);
          }),
        ),
    });
    const refusal = await client.refusal('Node/NodeGetInfo', {}, { deadline: Date.now() + 50 });
    expect(refusal.code).to.equal('DEADLINE_EXCEEDED');
    expect(await ended.promise).to.have.property('code', status.DEADLINE_EXCEEDED);
  });

  it('logs requests at -v=4 without secrets and mount flags, and failures always', async () => {
    const request = {
      volume_id: 'volume-1',
      secrets: { password: 'hunter2' },
      volume_capability: { mount: { mount_flags: ['credentials=sesame'] } },
    };
    const failing: Handlers = { NodeStageVolume: () => Promise.reject(new RpcError(status.ABORTED, 'busy')) };
    for (const [verbosity, requests] of [
      [4, 1],
      [0, 0],
    ] as const) {
      const client = await connected(failing, systemClock, recording(verbosity));
      await client.refusal('Node/NodeStageVolume', request);
      expect(lines.filter((line) => line.includes('RPC request')).length).to.equal(requests);
      const failure = lines.find((line) => line.includes('RPC failed'));
      expect(JSON.parse(failure ?? '{}')).to.include({
        rpc: 'NodeStageVolume',
        code: 'ABORTED',
        volume_id: 'volume-1',
      });
      expect(lines.join('')).not.to.match(/hunter2|sesame/);
      await cleanups.pop()?.();
      await cleanups.pop()?.();
    }
  });

  it('lets running calls end before it stops, and refuses new ones', async () => {
    const work = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const server = await serve({
      NodeGetInfo: async () => {
        begun.resolve();
        await work.promise;
        return { node_id: 'node01' };
      },
    });
    const client = new CsiClient(server.address);
    cleanups.push(() => client.close());
    const running = client.call('Node/NodeGetInfo');
    await begun.promise;
    const stopped = server.stop();
    expect((await client.refusal('Identity/Probe')).code).to.equal('UNAVAILABLE');
    work.resolve();
    expect(await running).to.include({ node_id: 'node01' });
    await stopped;
  });

  it('abandons calls that do not end: first their signal, then their connection', async () => {
    const clock = new HandClock();
    const begun = Promise.withResolvers<void>();
    const signals: AbortSignal[] = [];
    const hang = (_request: never, signal: AbortSignal): Promise<object> => {
      signals.push(signal);
      if (signals.length === 2) begun.resolve();
      return new Promise((_resolve, reject) => {
        if (signals.length === 1) signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    };
    const server = await serve({ NodeGetInfo: hang, NodeGetCapabilities: hang }, clock);
    const client = new CsiClient(server.address);
    cleanups.push(() => client.close());
    const polite = client.refusal('Node/NodeGetInfo');
    const stubborn = client.refusal('Node/NodeGetCapabilities');
    await begun.promise;
    const stopped = server.stop();
    await clock.pass(18_000);
    expect(await polite).to.deep.equal({ code: 'UNAVAILABLE', details: 'the driver is stopping; try again' });
    await clock.pass(2_000);
    expect((await stubborn).code).to.equal('CANCELLED');
    await stopped;
  });

  it('replaces the socket of a driver that was killed', async () => {
    // A listener that is gone without its socket being removed, as after SIGKILL.
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await promisify(execFile)(process.execPath, ['-e', script]).catch(() => undefined);
    expect((await stat(path)).isSocket()).to.equal(true);
    const client = await connected({});
    await client.call('Identity/Probe');
  });

  it('refuses to take the socket of a live sibling, which goes on serving', async () => {
    const client = await connected({});
    const refusal: unknown = await serve({}).catch((error: unknown) => error);
    expect(refusal).to.have.property('message').that.contains(path);
    await client.call('Identity/Probe');
  });

  it('notices when its socket is removed or replaced', async () => {
    for (const replaced of [false, true]) {
      const clock = new HandClock();
      const server = await serve({}, clock);
      const lost = server.untilSocketLost(new AbortController().signal).catch((error: unknown) => error);
      await clock.pass(10_000);
      await clock.untilAsleep(10_000);
      await unlink(path);
      const other = createServer();
      if (replaced) await new Promise<void>((resolve) => other.listen(path, resolve));
      await clock.pass(10_000);
      expect(await lost)
        .to.have.property('message')
        .that.contains('removed or replaced');
      await server.stop();
      if (replaced) await new Promise((resolve) => other.close(resolve));
    }
  });
});
