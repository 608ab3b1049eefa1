import { expect } from 'chai';
import { covers, describe as name, requestsOf, rightsIn, type Request, type Right } from './audit.ts';
import { Cluster } from './cluster.ts';

const CSI = 'nifcloud-additional-storage-csi';

/** Which program each role is for; all that is in none of them is for every program of its account. */
const PROGRAM_OF: Readonly<Record<string, string>> = {
  [`${CSI}-external-provisioner-role`]: 'csi-provisioner',
  [`${CSI}-external-attacher-role`]: 'csi-attacher',
  [`${CSI}-external-resizer-role`]: 'csi-resizer',
  [`${CSI}-controller-role`]: `${CSI}-driver`,
  [`${CSI}-node-role`]: `${CSI}-driver`,
  [`${CSI}-startup-taint-role`]: `${CSI}-driver`,
};

/** Rights that not every run of these tests uses, and why they are granted. */
const RARE: readonly { readonly of: RegExp; readonly right: RegExp; readonly because: string }[] = [
  {
    of: /external-.*-role$/,
    right: /^list /,
    because: 'API servers that do not stream lists (before 1.34), or not now, are asked for a list',
  },
  { of: /./, right: /^patch events$/, because: 'only an event that is repeated is patched' },
  { of: /external-resizer-role$/, right: /^create events$/, because: 'only growth that fails has an event' },
  {
    of: /external-provisioner-role$/,
    right: /^update persistentvolumeclaims$/,
    because: 'a claim is given back to the scheduler when it cannot be had on the node that was chosen',
  },
  {
    of: /external-provisioner-role$/,
    right: /^get storage.k8s.io\/volumeattributesclasses$/,
    because: 'only a claim that is created with a class needs it',
  },
  { of: /-controller-role$/, right: /^list persistentvolumes$/, because: 'orphans are looked for every ten minutes' },
  { of: /-controller-role$/, right: /^create events$/, because: 'only what an operator should see has an event' },
];

/** Whom the manifests give rights, and the accounts that the cloud-controller-manager acts as. */
const ACCOUNTS = /^kube-system:(nifcloud-|(node|service|route)-controller$)/;

/** After all other tests: it judges by what was asked of the API server in them. */
describe('permissions', () => {
  let requests: readonly Request[];
  let rights: readonly Right[];
  before(async () => {
    const cluster = await Cluster.get();
    const all = await requestsOf(cluster.controlPlane.auditLog);
    requests = all.filter(({ account, atMs }) => ACCOUNTS.test(account) && !cluster.hadForeignRights(atMs));
    rights = rightsIn(await cluster.rendered('test/e2e/kustomize'));
  });

  it('suffice: no request was refused', () => {
    const refused = requests.filter(({ isRefused }) => isRefused);
    expect(unique(refused.map((one) => `${one.account} (${one.program}): ${name(one)} ${one.name}`))).to.deep.equal([]);
  });

  it('are all used', () => {
    const unused = rights.filter((right) => !requests.some((one) => mayBeFor(right, one) && covers(right, one)));
    const superfluous = unused.filter(
      (one) => !RARE.some(({ of, right }) => of.test(one.role) && right.test(name(one))),
    );
    expect(unique(superfluous.map((one) => `${one.role}: ${name(one)}`))).to.deep.equal([]);
  });

  it('are in the role of the program that uses them', () => {
    const ours = requests.filter(({ account }) => account.startsWith('kube-system:nifcloud-'));
    const elsewhere = ours.filter(
      (one) => !isForEverybody(one) && !rights.some((right) => mayBeFor(right, one) && covers(right, one)),
    );
    expect(unique(elsewhere.map((one) => `${one.program}: ${name(one)} ${one.name}`))).to.deep.equal([]);
  });
});

function mayBeFor({ role }: Right, { program }: Request): boolean {
  return (PROGRAM_OF[role] ?? program) === program;
}

/** Granted by roles that every API server brings along, which the manifests bind. */
function isForEverybody({ apiGroup, resource, name: object }: Request): boolean {
  if (resource === 'configmaps') return object === 'extension-apiserver-authentication';
  return apiGroup === 'authorization.k8s.io' || apiGroup === 'authentication.k8s.io';
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
