import { CLOUD_FAULTS, cloudOutage, cloudStrikes } from './cloud-faults.ts';
import { DUELS, proveDuel } from './csi-duels.ts';
import { BLOCK_LIFE, CLOUD_LIFE, NODE_LIFE, XFS_LIFE } from './csi-life.ts';
import { all, changes, different, oneIn, proveFaults, proveOutage, proveTrouble, refusals } from './csi-proofs.ts';
import { KUBE_OUTAGES, kubeOutage, kubeStrikes } from './kube-faults.ts';

/** One in so many combinations of a call and a fault. */
const SHARE = 3;

/** The other way than elsewhere, where nobody knows how the cloud is. */
const OTHER_CLOUD = 'disk-lock=server,error-status=400,unknown-names=skip,empty-names=none';

describe('the life of a volume comes to the same end, and breaks no rule on the way, when', () => {
  it('the controller is killed before and after every call', () => proveTrouble(CLOUD_LIFE, 'killed', all));
  it('the controller is killed at any call, in another cloud', () =>
    proveTrouble(CLOUD_LIFE, 'killed', different, { switches: OTHER_CLOUD }));
  it('the deadline of a call passes at any time', () => proveTrouble(CLOUD_LIFE, 'impatient', different));
  it('calls and answers are lost', () => proveTrouble(CLOUD_LIFE, 'lost', oneIn(2, all)));
  it('a second controller gets the same call at any time', () =>
    proveTrouble(CLOUD_LIFE, 'rivalled', different, { controllers: 2 }));
  it('a call of the cloud fails', () => proveFaults(CLOUD_LIFE, cloudStrikes, (n) => n % SHARE === 0));
  it('the cloud refuses a change', () => proveFaults(CLOUD_LIFE, refusals, undefined, OTHER_CLOUD));
  it('a call of Kubernetes fails', () => proveFaults(CLOUD_LIFE, kubeStrikes, (n) => n % SHARE === 0));
  for (const outage of [...CLOUD_FAULTS.map(cloudOutage), ...KUBE_OUTAGES.map(kubeOutage)]) {
    it(`every call meets this for minutes: ${outage.text}`, () => proveOutage(CLOUD_LIFE, outage));
  }

  for (const [what, life] of [
    ['an ext4 volume', NODE_LIFE],
    ['an xfs volume', XFS_LIFE],
    ['a raw block volume', BLOCK_LIFE],
  ] as const) {
    it(`the node server is killed before, during and after any command: ${what}`, () =>
      proveTrouble(life, 'killed', different));
  }
  for (const [what, life] of [
    ['an ext4 volume', NODE_LIFE],
    ['a raw block volume', BLOCK_LIFE],
  ] as const) {
    it(`a command fails, with or without having done its work: ${what}`, () => proveTrouble(life, 'lost', changes));
  }
  it('the kubelet loses its patience', () => proveTrouble(NODE_LIFE, 'impatient', different));
});

describe('two controllers that work on one volume at the same time come to terms, at any time, when', () => {
  for (const duel of DUELS) it(duel.name, () => proveDuel(duel));
});
