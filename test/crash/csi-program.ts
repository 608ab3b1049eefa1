import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { MethodDefinition } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Driver } from '../../csi/driver.ts';
import { parseOptions } from '../../csi/options.ts';
import { RpcError } from '../../csi/rpc-error.ts';
import type { Handlers } from '../../csi/server.ts';
import type { Clock } from '../../daemon/clock.ts';

const PROTO = fileURLToPath(new URL('../../proto/csi.proto', import.meta.url));
const SERVICES = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });

/** How a call ended for its caller; without a response where the code is not OK. */
export interface Answer {
  readonly code: status;
  readonly text: string;
  readonly response?: object;
}

/** One service of a driver that runs in this process, made as `csi/main.ts` makes it. */
export class CsiService {
  readonly #service: 'Controller' | 'Node';
  readonly #handlers: Handlers;

  private constructor(service: 'Controller' | 'Node', handlers: Handlers) {
    this.#service = service;
    this.#handlers = handlers;
  }

  /** @param log told of every line of the driver's log */
  static async start(
    service: 'Controller' | 'Node',
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
    {
      clock,
      signal,
      log,
    }: { readonly clock: Clock; readonly signal: AbortSignal; readonly log: (line: string) => void },
  ): Promise<CsiService> {
    const lines = new Writable({ write: (chunk, _encoding, done) => (log(String(chunk)), done()) });
    const driver = new Driver(parseOptions(flags), { ...env }, signal, { clock, log: lines });
    const handlers = await (service === 'Controller' ? driver.controller() : driver.node());
    return new CsiService(service, handlers ?? {});
  }

  /** One call, with a request that has gone over the wire. @param signal aborted with what the caller's end means */
  async call(rpc: string, request: object, signal: AbortSignal): Promise<Answer> {
    const handler = this.#handlers[rpc];
    if (handler === undefined) return { code: status.UNIMPLEMENTED, text: rpc };
    try {
      const received = overTheWire(this.#service, rpc, request);
      return { code: status.OK, text: '', response: await handler(received as never, signal) };
    } catch (thrown) {
      const reason: unknown = signal.aborted ? signal.reason : undefined;
      const error = thrown instanceof RpcError || !(reason instanceof RpcError) ? thrown : reason;
      return { code: error instanceof RpcError ? error.code : status.INTERNAL, text: whole(error) };
    }
  }
}

/** Filled with defaults, as the server has it from grpc-js. */
function overTheWire(service: string, rpc: string, request: object): object {
  const methods = SERVICES[`csi.v1.${service}`] as Readonly<Record<string, MethodDefinition<object, object>>>;
  const method = methods[rpc];
  if (method === undefined) throw new Error(`csi.v1.${service} has no ${rpc}`);
  return method.requestDeserialize(method.requestSerialize(request));
}

/** An error with all its causes. */
function whole(error: unknown): string {
  const texts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) texts.push(at.message);
  return texts.length === 0 ? String(error) : texts.join(': ');
}
