import { chmod, lstat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, loadPackageDefinition, status } from '@grpc/grpc-js';
import type { ServerUnaryCall, ServiceDefinition, sendUnaryData } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Clock } from '../daemon/clock.ts';
import { describeError } from '../daemon/logger.ts';
import type { Logger } from '../daemon/logger.ts';
import type { ProtoGrpcType } from '../proto/gen/csi.ts';
import type { Endpoint } from './endpoint.ts';
import { removeStaleSocket } from './endpoint.ts';
import { redacted } from './redact.ts';
import { RpcError } from './rpc-error.ts';

/** One RPC. The signal aborts with an RpcError when the caller gives up, its deadline passes, or the server stops. */
export type Handler = (request: never, signal: AbortSignal) => Promise<object>;

/** The RPCs of one service by name; those that are missing answer UNIMPLEMENTED. */
export type Handlers = Readonly<Record<string, Handler>>;

/** What is served: Identity always, the others by `--mode`. */
interface Services {
  readonly Identity: Handlers;
  readonly Controller?: Handlers | undefined;
  readonly Node?: Handlers | undefined;
}

/** How long running RPCs may take to end after SIGTERM: under Kubernetes' grace period of 30 s (docs/reference/csi.md G.4). */
const DRAIN_MS = 20_000;

/** Their signals abort this long before the drain ends, so that they can still answer. */
const ABANDON_BEFORE_END_MS = 2_000;

/** The caller cancels at its own deadline; ours is counted from when the request came, and so is later by its way. */
const DEADLINE_SLACK_MS = 500;

/** How often the socket is looked after. */
const SOCKET_CHECK_MS = 10_000;

/** Owner and group: sidecars run as root or share the pod's fsGroup. */
const SOCKET_MODE = 0o660;

/** Error texts travel as an HTTP/2 trailer and end up in events: more than this is cut off. */
const MESSAGE_MAX_CHARACTERS = 2_000;

export interface ServerOptions {
  readonly endpoint: Endpoint;
  readonly services: Services;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The gRPC server.
 *
 * - Every RPC is answered exactly once, whatever its handler does: reject, throw at once, or fail with somebody else's error.
 * - Only an RpcError's code reaches the caller. Anything else is INTERNAL: grpc-js would take any numeric `code`, such as a
 *   child's exit status, for a gRPC code (docs/reference/csi.md G.2).
 * - Requests are logged at -v=4 without their secrets, failures always.
 */
export class RpcServer {
  /** What to connect to: `unix:///PATH`, or HOST:PORT with the port that was bound. */
  readonly address: string;
  readonly #server: Server;
  readonly #options: ServerOptions;
  readonly #running: Set<AbortController>;
  readonly #socketInode: number | undefined;

  private constructor(
    server: Server,
    address: string,
    options: ServerOptions,
    running: Set<AbortController>,
    socketInode: number | undefined,
  ) {
    this.#server = server;
    this.address = address;
    this.#options = options;
    this.#running = running;
    this.#socketInode = socketInode;
  }

  /**
   * Listens and serves.
   * @throws UsageError when the endpoint is taken; see `removeStaleSocket`.
   */
  static async start(options: ServerOptions): Promise<RpcServer> {
    const { endpoint, services } = options;
    const running = new Set<AbortController>();
    const server = new Server();
    for (const [name, definition] of Object.entries(serviceDefinitions())) {
      const handlers = services[name as keyof Services];
      if (handlers !== undefined) server.addService(definition, implementation(handlers, options, running));
    }
    if (endpoint.kind === 'tcp') {
      const port = await bind(server, endpoint.address);
      return new RpcServer(server, endpoint.address.replace(/:\d+$/, `:${port}`), options, running, undefined);
    }
    await removeStaleSocket(endpoint.path);
    const address = `unix://${endpoint.path}`;
    await bind(server, address);
    await chmod(endpoint.path, SOCKET_MODE);
    const { ino } = await lstat(endpoint.path);
    return new RpcServer(server, address, options, running, ino);
  }

  /**
   * Lasts until the socket is no longer ours; nobody can reach the driver then.
   * It happens when two generations run on one path: the old one's shutdown removes the socket by name (G.3).
   * @throws Error then, or the signal's reason.
   */
  async untilSocketLost(signal: AbortSignal): Promise<never> {
    for (;;) {
      await this.#options.clock.sleep(SOCKET_CHECK_MS, signal);
      const { endpoint } = this.#options;
      if (endpoint.kind !== 'unix') continue;
      const found = await lstat(endpoint.path).catch(() => undefined);
      if (found?.ino !== this.#socketInode) {
        throw new Error(`the socket ${endpoint.path} was removed or replaced by another process`);
      }
    }
  }

  /** Refuses new calls, lets running ones end, and after 20 s cuts off what is left. The socket file goes at once. */
  async stop(): Promise<void> {
    const { clock, logger } = this.#options;
    const drained = new AbortController();
    const shutdown = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve());
    }).then(() => drained.abort());
    const cutOff = async (): Promise<void> => {
      await clock.sleep(DRAIN_MS - ABANDON_BEFORE_END_MS, drained.signal);
      logger.warn('Running calls are abandoned', { calls: this.#running.size });
      const reason = new RpcError(status.UNAVAILABLE, 'the driver is stopping; try again');
      for (const call of this.#running) call.abort(reason);
      await clock.sleep(ABANDON_BEFORE_END_MS, drained.signal);
      this.#server.forceShutdown();
    };
    await Promise.all([
      shutdown,
      cutOff().catch((error: unknown) => {
        if (!drained.signal.aborted) throw error;
      }),
    ]);
  }
}

/** The three services of proto/csi.proto, which lies beside the sources and beside `dist/`. */
function serviceDefinitions(): Record<keyof Services, ServiceDefinition> {
  const definition = loadSync(fileURLToPath(new URL('../proto/csi.proto', import.meta.url)), {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const { Identity, Controller, Node } = (loadPackageDefinition(definition) as unknown as ProtoGrpcType).csi.v1;
  return { Identity: Identity.service, Controller: Controller.service, Node: Node.service };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

type Call = ServerUnaryCall<object, object>;

function implementation(
  handlers: Handlers,
  options: ServerOptions,
  running: Set<AbortController>,
): Record<string, (call: Call, answer: sendUnaryData<object>) => void> {
  const wrapped = (rpc: string, handler: Handler) => (call: Call, answer: sendUnaryData<object>) => {
    const caller = new AbortController();
    running.add(caller);
    call.on('cancelled', () => caller.abort(reasonOfEnd(call, options.clock)));
    void serveOne(rpc, handler, call.request, caller.signal, options)
      .then((outcome) => (outcome instanceof RpcError ? answer(asStatus(outcome)) : answer(null, outcome)))
      .finally(() => running.delete(caller));
  };
  return Object.fromEntries(Object.entries(handlers).map(([rpc, handler]) => [rpc, wrapped(rpc, handler)]));
}

/** Runs a handler to its answer or its error. Never rejects. */
async function serveOne(
  rpc: string,
  handler: Handler,
  request: object,
  signal: AbortSignal,
  { logger, clock }: ServerOptions,
): Promise<object | RpcError> {
  const startedAtMs = clock.monotonicMs();
  const tookMs = (): number => Math.round(clock.monotonicMs() - startedAtMs);
  logger.debug(4, 'RPC request', { rpc, request: redacted(request) });
  try {
    const response = await handler(request as never, signal);
    logger.debug(4, 'RPC response', { rpc, response: redacted(response), tookMs: tookMs() });
    return response;
  } catch (error) {
    const answer = asRpcError(error, signal);
    logger.error('RPC failed', error, { rpc, code: status[answer.code], ...subject(request), tookMs: tookMs() });
    return answer;
  }
}

function asRpcError(error: unknown, signal: AbortSignal): RpcError {
  if (error instanceof RpcError) return error;
  // What a wait throws when its caller has gone says nothing about the cause: the signal does.
  if (signal.aborted && signal.reason instanceof RpcError) return signal.reason;
  return new RpcError(status.INTERNAL, describeError(error));
}

function asStatus(error: RpcError): { code: status; details: string } {
  const details = describeError(error) || status[error.code];
  return { code: error.code, details: details.slice(0, MESSAGE_MAX_CHARACTERS) };
}

function reasonOfEnd(call: Call, clock: Clock): RpcError {
  const passed = clock.now() + DEADLINE_SLACK_MS >= Number(call.getDeadline());
  return passed
    ? new RpcError(status.DEADLINE_EXCEEDED, 'the deadline of the call has passed')
    : new RpcError(status.CANCELLED, 'the caller gave up');
}

/** What the request was about, for a log line that is written at every verbosity. */
function subject(request: object): Record<string, unknown> {
  const keys = ['volume_id', 'node_id', 'name'];
  return Object.fromEntries(Object.entries(request).filter(([key]) => keys.includes(key)));
}
