import type { status } from '@grpc/grpc-js';

/**
 * The only error whose gRPC code reaches the caller: server.ts answers anything else as INTERNAL. Thrown by a handler to
 * say what the sidecars shall do next; docs/reference/csi.md B.1 lists what each code makes them do.
 */
export class RpcError extends Error {
  /** Never OK. */
  readonly code: status;

  /** @param message what is wrong and what can be done about it; it ends up in an event, so it holds no secrets. */
  constructor(code: status, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'RpcError';
    this.code = code;
  }
}
