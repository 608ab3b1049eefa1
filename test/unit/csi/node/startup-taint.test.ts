import { expect } from 'chai';
import { DRIVER_NAME } from '../../../../csi/names.ts';
import { STARTUP_TAINT, removeStartupTaint } from '../../../../csi/node/startup-taint.ts';
import { KubeError } from '../../../../kube/errors.ts';
import type { Node, Taint } from '../../../../kube/types.ts';
import { FakeClock } from '../../../fake-clock.ts';
import { memoryLogger } from './fake-machine.ts';

const OURS: Taint = { key: STARTUP_TAINT, effect: 'NoExecute' };
const OTHER: Taint = { key: 'team', value: 'db', effect: 'NoSchedule' };

/** A Node and its CSINode, as the API server has them. */
class Api {
  readonly calls: string[] = [];
  taints: readonly Taint[] = [OURS, OTHER];
  version = 1;
  /** Undefined: there is no CSINode. */
  drivers: readonly string[] | undefined;
  failures: KubeError[] = [];
  /** What somebody else does just before a patch arrives. */
  meanwhile: (() => void) | undefined;

  async get<T>(path: string): Promise<T> {
    this.#called(`GET ${path}`);
    if (path.includes('/csinodes/')) {
      if (this.drivers === undefined) throw error(404, 'NotFound');
      return { spec: { drivers: this.drivers.map((name) => ({ name })) } } as T;
    }
    const node: Node = {
      metadata: { name: 'node 1', resourceVersion: `${this.version}` },
      spec: { taints: this.taints },
    };
    return node as T;
  }

  async patch<T>(path: string, patch: unknown): Promise<T> {
    this.#called(`PATCH ${path}`);
    this.meanwhile?.();
    this.meanwhile = undefined;
    const { metadata, spec } = patch as { metadata: { resourceVersion: string }; spec: { taints: Taint[] | null } };
    if (metadata.resourceVersion !== `${this.version}`) throw error(409, 'Conflict');
    this.version += 1;
    this.taints = spec.taints ?? [];
    return {} as T;
  }

  #called(call: string): void {
    this.calls.push(call);
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }
}

function error(code: number, reason: string): KubeError {
  return new KubeError({ code, reason, message: reason });
}

function start(api: Api): { clock: FakeClock; done: Promise<void>; stop: AbortController } {
  const clock = new FakeClock();
  const stop = new AbortController();
  const options = { nodeName: 'node 1', kube: api, clock, logger: memoryLogger() };
  return { clock, stop, done: removeStartupTaint(options, stop.signal) };
}

describe('the start-up taint', () => {
  it('is taken off once kubelet has registered the driver, and not before', async () => {
    const api = new Api();
    const { clock, done } = start(api);
    await clock.advance(10_000);
    expect(api.taints).to.deep.equal([OURS, OTHER]);
    api.drivers = ['another.example.com'];
    await clock.advance(10_000);
    expect(api.taints).to.deep.equal([OURS, OTHER]);
    api.drivers = ['another.example.com', DRIVER_NAME];
    await clock.advance(2_000);
    await done;
    expect(api.taints).to.deep.equal([OTHER]);
  });

  it('costs one read of the Node where it is not used', async () => {
    const api = new Api();
    api.taints = [OTHER];
    await start(api).done;
    expect(api.calls).to.deep.equal(['GET /api/v1/nodes/node%201']);
  });

  it('does not undo a taint that is set at the same moment', async () => {
    const api = new Api();
    api.drivers = [DRIVER_NAME];
    const late: Taint = { key: 'late', effect: 'NoExecute' };
    api.meanwhile = () => {
      api.taints = [...api.taints, late];
      api.version += 1;
    };
    const { clock, done } = start(api);
    await clock.advance(1_000);
    await done;
    expect(api.taints).to.deep.equal([OTHER, late]);
  });

  it('goes even when the API server fails for a while', async () => {
    const api = new Api();
    api.drivers = [DRIVER_NAME];
    api.failures = [error(500, 'InternalError'), error(503, 'ServiceUnavailable')];
    const { clock, done } = start(api);
    await clock.advance(10_000);
    await done;
    expect(api.taints).to.deep.equal([OTHER]);
  });

  it('is given up without the right to see Nodes, as with the account of the Go driver', async () => {
    const api = new Api();
    api.failures = [error(403, 'Forbidden')];
    await start(api).done;
    expect(api.calls).to.have.lengthOf(1);
  });

  it('is no longer looked after when the driver stops', async () => {
    const api = new Api();
    const { clock, stop, done } = start(api);
    await clock.advance(1_000);
    stop.abort(new Error('stopping'));
    const reason: unknown = await done.catch((failure: unknown) => failure);
    expect(reason === undefined || reason === stop.signal.reason).to.equal(true);
    expect(clock.sleeping).to.equal(0);
  });
});
