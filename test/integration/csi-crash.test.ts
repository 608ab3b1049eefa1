import { CLOUD_FAULTS, cloudOutage, cloudStrikes } from '../crash/cloud-faults.ts';
import { DUELS, proveDuel } from '../crash/csi-duels.ts';
import { BLOCK_LIFE, CLOUD_LIFE, NODE_LIFE } from '../crash/csi-life.ts';
import { changes, different, oneIn, proveFaults, proveOutage, proveTrouble, refusals } from '../crash/csi-proofs.ts';
import { kubeStrikes } from '../crash/kube-faults.ts';

/** One in so many combinations of a call and a fault is tried here; `npm run test:crash` tries more. */
const SHARE = 17;

describe('the life of a volume comes to the same end, and breaks no rule on the way, when', () => {
  it('the controller is killed at any call and started anew', () => proveTrouble(CLOUD_LIFE, 'killed', different));
  it('the deadline of a call passes at any time', () => proveTrouble(CLOUD_LIFE, 'impatient', oneIn(3, different)));
  it('a second controller gets the same call', () =>
    proveTrouble(CLOUD_LIFE, 'rivalled', oneIn(2, different), { controllers: 2 }));
  it('a call of the cloud fails', () => proveFaults(CLOUD_LIFE, cloudStrikes, (n) => n % SHARE === 0));
  it('the cloud refuses a change', () => proveFaults(CLOUD_LIFE, refusals));
  it('a call of Kubernetes fails', () => proveFaults(CLOUD_LIFE, kubeStrikes, (n) => n % SHARE === 0));
  it('the cloud loses every answer for minutes', () =>
    proveOutage(CLOUD_LIFE, cloudOutage(CLOUD_FAULTS.find(({ name }) => name === 'drop-after')!)));

  it('the node server is killed before, during and after any command', () =>
    proveTrouble(NODE_LIFE, 'killed', oneIn(5, different)));
  it('the node server is killed while a raw block volume lives', () =>
    proveTrouble(BLOCK_LIFE, 'killed', oneIn(5, different)));
  it('a command fails, with or without having done its work', () => proveTrouble(NODE_LIFE, 'lost', oneIn(8, changes)));
  it('the kubelet loses its patience', () => proveTrouble(NODE_LIFE, 'impatient', oneIn(8, different)));
});

describe('two controllers that work on one volume at the same time come to terms when', () => {
  for (const duel of DUELS) it(duel.name, () => proveDuel(duel, (n) => n % 7 === 1));
});
