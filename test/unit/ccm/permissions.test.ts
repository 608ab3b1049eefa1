import { expect } from 'chai';
import { warnOfMissingPermissions } from '../../../ccm/permissions.ts';
import type { ControllerName } from '../../../ccm/options.ts';
import type { Logger } from '../../../daemon/logger.ts';
import type { ResourceAccess } from '../../../kube/auth-reviews.ts';
import { KubeError } from '../../../kube/errors.ts';

const NEVER = new AbortController().signal;
const LEASE = { namespace: 'kube-system', name: 'cloud-controller-manager' };

/** A pod account or service account that may do what `allows` says. */
class Account {
  readonly asked: ResourceAccess[] = [];
  readonly #allows: (access: ResourceAccess) => boolean;

  constructor(allows: (access: ResourceAccess) => boolean = () => true) {
    this.#allows = allows;
  }

  create<T>(_path: string, body: unknown): Promise<T> {
    const access = (body as { spec: { resourceAttributes: ResourceAccess } }).spec.resourceAttributes;
    this.asked.push(access);
    return Promise.resolve({ status: { allowed: this.#allows(access) } } as T);
  }
}

async function warnings(
  shared: Pick<Account, 'create'>,
  controllers: Readonly<Partial<Record<ControllerName, Pick<Account, 'create'>>>>,
  serviceAccounts: readonly string[] = [],
): Promise<readonly string[]> {
  const said: string[] = [];
  const logger: Logger = {
    info: () => undefined,
    error: () => undefined,
    debug: () => undefined,
    warn: (_message, fields = {}) => {
      const { verb, resource, subresource } = fields as unknown as ResourceAccess;
      said.push(`${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`);
    },
  };
  const needs = {
    shared,
    controllers: new Map(Object.entries(controllers)) as Map<ControllerName, Pick<Account, 'create'>>,
    authentication: shared,
    authorization: undefined,
    lease: LEASE,
    serviceAccounts,
  };
  await warnOfMissingPermissions(needs, logger, NEVER);
  return said;
}

const text = ({ verb, resource, subresource }: ResourceAccess): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;

describe('the look at permissions', () => {
  it('says nothing when all are there', async () => {
    const account = new Account();
    expect(await warnings(account, { node: account, service: account })).to.deep.equal([]);
    expect(account.asked.map(text)).to.include.members([
      'patch nodes/status',
      'patch services/status',
      'update leases',
    ]);
  });

  it('names each that is missing', async () => {
    const account = new Account(({ subresource, resource }) => subresource !== 'status' && resource !== 'leases');
    expect(await warnings(account, { node: account, service: account })).to.have.members([
      'get leases',
      'update leases',
      'create leases',
      'patch nodes/status',
      'patch services/status',
    ]);
  });

  it('asks once for what several controllers need, and names all of them', async () => {
    const account = new Account(({ resource }) => resource !== 'events');
    expect(await warnings(account, { node: account, service: account })).to.deep.equal([
      'create events',
      'patch events',
    ]);
    expect(new Set(account.asked.map(text)).size).to.equal(account.asked.length);
  });

  it('asks each service account for what its own controller does', async () => {
    const [pod, node, service] = [new Account(), new Account(), new Account()];
    await warnings(pod, { node, service }, ['node-controller', 'service-controller']);
    expect(pod.asked.map(text)).to.include.members(['watch nodes', 'watch services', 'create serviceaccounts/token']);
    expect(pod.asked.map(text)).not.to.include('update nodes');
    expect(node.asked.map(text)).to.include('update nodes').and.not.to.include('patch services/status');
    expect(service.asked.map(text)).to.include('patch services/status').and.not.to.include('update nodes');
  });

  it('does not miss rights that are limited to the accounts of the controllers', async () => {
    const names = ['node-controller', 'service-controller'];
    const pod = new Account(({ resource, verb, subresource, name = '' }) => {
      const isLimited = resource === 'serviceaccounts' && (verb === 'get' || subresource === 'token');
      return !isLimited || names.includes(name);
    });
    expect(await warnings(pod, { node: pod, service: pod }, names)).to.deep.equal([]);
  });

  it('looks at what guards the pages only where something does', async () => {
    const account = new Account();
    await warnings(account, {});
    expect(account.asked.map(text)).to.include('create tokenreviews').and.not.to.include('create subjectaccessreviews');
  });

  it('does not ask for Services where nobody needs them', async () => {
    const account = new Account();
    await warnings(account, { node: account });
    expect(account.asked.map(({ resource }) => resource)).not.to.include('services');
  });

  for (const status of [403, 404, 500]) {
    it(`leaves the matter alone when the API server answers with ${status}`, async () => {
      const refusing = { create: (): Promise<never> => Promise.reject(new KubeError({ code: status })) };
      expect(await warnings(refusing, { node: refusing, service: refusing })).to.deep.equal([]);
    });
  }
});
