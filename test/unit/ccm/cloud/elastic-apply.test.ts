import { expect } from 'chai';
import { applyElastic, type ElasticCalls } from '../../../../ccm/cloud/elastic-apply.ts';
import { isDuplicate, isNotFound, NifcloudError } from '../../../../nifcloud/errors.ts';
import { ElasticModel, EMPTY } from './elastic-model.ts';

const NEVER = new AbortController().signal;
const KEY = { protocol: 'TCP', loadBalancerPort: 80, instancePort: 30080 };
const LISTENER = {
  ...KEY,
  balancingType: 1,
  description: '',
  certificateId: '',
  healthCheck: undefined,
  targets: [],
  stickiness: undefined,
  sorryPage: undefined,
};

const model = (servers: readonly string[], registered: readonly string[] = []): ElasticModel => {
  const targets = registered.map((serverUniqueId) => ({ serverName: '', serverUniqueId }));
  return new ElasticModel({ ...EMPTY, listeners: [{ ...LISTENER, targets }] }, servers);
};
const ids = (cloud: ElasticModel): string[] =>
  cloud.loadBalancer?.listeners[0]?.targets.map((one) => one.serverUniqueId) ?? [];
const register = (cloud: ElasticModel, serverUniqueIds: readonly string[]): Promise<void> =>
  applyElastic(cloud, EMPTY, { kind: 'register-targets', key: KEY, serverUniqueIds }, NEVER);

async function failure(promise: Promise<void>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('applying one step to an elastic load balancer', () => {
  it('registers all servers with one call', async () => {
    const cloud = model(['i-1', 'i-2', 'i-3']);
    await register(cloud, ['i-1', 'i-2', 'i-3']);
    expect(ids(cloud)).to.deep.equal(['i-1', 'i-2', 'i-3']);
    expect(cloud.calls).to.equal(1);
  });

  it('registers the servers that the cloud knows although one of many is gone (E7 #19), in a few rounds', async () => {
    const servers = Array.from({ length: 50 }, (_, n) => `i-${n}`);
    const cloud = model(servers.filter((id) => id !== 'i-31'));
    let rounds = 0;
    for (; ids(cloud).length < 49; rounds++) {
      await register(
        cloud,
        servers.filter((id) => !ids(cloud).includes(id)),
      );
    }
    expect(rounds).to.be.lessThan(8);
    expect(isNotFound(await failure(register(cloud, ['i-31'])), 'Instance')).to.equal(true);
  });

  it('fails when the cloud takes none of the servers', async () => {
    const error = await failure(register(model([]), ['i-1', 'i-2', 'i-3']));
    expect(isNotFound(error, 'Instance')).to.equal(true);
  });

  it('takes off the servers that are there although another one is gone', async () => {
    const cloud = model([], ['i-1', 'i-2']);
    const step = { kind: 'deregister-targets', key: KEY, serverUniqueIds: ['i-9', 'i-1'] } as const;
    await applyElastic(cloud, EMPTY, step, NEVER);
    expect(ids(cloud)).to.deep.equal(['i-2']);
  });

  it('does not try again what was refused for another reason than a server', async () => {
    const cloud = new ElasticModel(undefined, ['i-1', 'i-2']);
    const error = await failure(register(cloud, ['i-1', 'i-2']));
    expect(isNotFound(error, 'ElasticLoadBalancer')).to.equal(true);
    expect(cloud.calls).to.equal(1);
  });

  it('leaves a refused creation to the caller', async () => {
    const interfaces = [{ networkId: 'net-COMMON_GLOBAL', isVip: true }];
    const step = { kind: 'create', zone: 'east-11', interfaces, listener: KEY } as const;
    expect(isDuplicate(await failure(applyElastic(model([]), { name: 'a' }, step, NEVER)))).to.equal(true);
  });

  it('names the load balancer by its id once that is known: a name can change hands', async () => {
    const sent: unknown[] = [];
    const note = (first: unknown): Promise<void> => {
      sent.push(first);
      return Promise.resolve();
    };
    const calls = { deleteListener: note, update: note } as unknown as ElasticCalls;
    const deletion = { kind: 'delete-listener', key: KEY, rulesFirst: false } as const;
    await applyElastic(calls, { name: 'a', id: 'elb-1' }, deletion, NEVER);
    await applyElastic(calls, { name: 'a' }, { kind: 'update', change: { networkVolumeMbps: 20 } }, NEVER);
    expect(sent).to.deep.equal([{ id: 'elb-1', ...KEY }, { name: 'a' }]);
  });

  it('passes a lost answer on, for only a look tells what became of it', async () => {
    const lost = new NifcloudError({ action: 'call', code: 'ECONNRESET', detail: '', outcome: 'unknown' });
    const calls = { registerTargets: () => Promise.reject(lost) } as unknown as ElasticCalls;
    const step = { kind: 'register-targets', key: KEY, serverUniqueIds: ['i-1', 'i-2'] } as const;
    expect(await failure(applyElastic(calls, EMPTY, step, NEVER))).to.equal(lost);
  });
});
