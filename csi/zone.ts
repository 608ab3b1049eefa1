import { status } from '@grpc/grpc-js';
import { describeError } from '../daemon/logger.ts';
import { ZONE_KEY } from './names.ts';
import { RpcError } from './rpc-error.ts';

/** Somebody who may know the zone of a node. `undefined` = no answer, the next one is asked. */
export interface ZoneSource {
  /** For the error that names all who were asked. */
  readonly name: string;
  zone(signal: AbortSignal): Promise<string | undefined>;
}

/** Time for one source, in ms: kubelet waits for the driver's registration meanwhile. Our choice. */
const SOURCE_TIMEOUT_MS = 10_000;

/**
 * The zone of this node, from the first source that knows it. It is found out once: it cannot change over a node's life, and the
 * kubelet refuses a driver that says otherwise (docs/reference/csi.md E.2).
 * @returns a function that throws RpcError UNAVAILABLE while no source knows; all are asked again at the next call.
 */
export function zoneFrom(sources: readonly ZoneSource[]): (signal?: AbortSignal) => Promise<string> {
  let known: string | undefined;
  return async (signal) => {
    if (known !== undefined) return known;
    const silent: string[] = [];
    for (const source of sources) {
      try {
        const patience = AbortSignal.timeout(SOURCE_TIMEOUT_MS);
        known = (await source.zone(signal === undefined ? patience : AbortSignal.any([signal, patience]))) || undefined;
        if (known !== undefined) return known;
        silent.push(`${source.name} does not say`);
      } catch (error) {
        signal?.throwIfAborted();
        silent.push(`${source.name}: ${describeError(error)}`);
      }
    }
    throw new RpcError(status.UNAVAILABLE, `the zone of this node is not known: ${silent.join('; ')}`);
  };
}

/** What of a Node tells its zone. */
export interface LabelledNode {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
}

/** The zone in a Node's labels: the driver's own, which the kubelet keeps for ever, before the cloud-controller-manager's. */
export function zoneOfNode({ metadata }: LabelledNode): string | undefined {
  return metadata.labels?.[ZONE_KEY] ?? metadata.labels?.['topology.kubernetes.io/zone'];
}
