import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { GrpcObject, ServiceClientConstructor, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../proto/csi.proto', import.meta.url));

/** A call that the driver refused, with its gRPC code. */
export type CsiError = ServiceError;

/** The sidecars' and kubelet's end of the driver's socket. */
export class CsiClient {
  readonly #services: Readonly<Record<string, InstanceType<ServiceClientConstructor>>>;
  readonly #signal: AbortSignal | undefined;

  /** @param signal cancels the calls that are under way when it aborts */
  constructor(socket: string, signal?: AbortSignal) {
    this.#signal = signal;
    const definition = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true });
    const csi = (loadPackageDefinition(definition)['csi'] as GrpcObject)['v1'] as GrpcObject;
    const connect = (name: string): InstanceType<ServiceClientConstructor> =>
      new (csi[name] as ServiceClientConstructor)(`unix://${socket}`, credentials.createInsecure());
    this.#services = { Identity: connect('Identity'), Controller: connect('Controller'), Node: connect('Node') };
  }

  /**
   * One RPC with the sidecars' time-out of 600 s.
   * @throws CsiError with the driver's code and text.
   */
  async call<T>(service: 'Identity' | 'Controller' | 'Node', method: string, request: object = {}): Promise<T> {
    this.#signal?.throwIfAborted();
    const client = this.#services[service];
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + 600_000;
      const cancel = (): void => call?.cancel();
      const call = client?.[method]?.(request, { deadline }, (error: CsiError | null, response: T) => {
        this.#signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(response);
        else reject(error);
      });
      this.#signal?.addEventListener('abort', cancel);
    });
  }

  /** Whether the driver says that it is ready. */
  async ready(): Promise<boolean> {
    try {
      const { ready } = await this.call<{ ready: { value: boolean } | null }>('Identity', 'Probe');
      return ready?.value ?? true;
    } catch {
      return false;
    }
  }

  close(): void {
    for (const client of Object.values(this.#services)) client.close();
  }
}
