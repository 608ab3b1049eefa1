import { CLOUD_FAULTS, cloudOutage, cloudStrikes } from './cloud-faults.ts';
import { KUBE_OUTAGES, kubeOutage, kubeStrikes } from './kube-faults.ts';
import { NODE_WAYS, PATIENT_NODE_WAYS, SLOW_NODE_WAYS } from './node-travel.ts';
import { proveFaults, proveKills, proveOutage } from './proofs.ts';
import { SERVICE_WAYS } from './service-travel.ts';

/** One in so many combinations of a call and a fault. */
const SHARE = 3;

/** The other way than elsewhere, where nobody knows how the cloud is. */
const OTHER_CLOUD = 'updated-listener=reset,batched-rules=partial,error-status=400,unknown-names=skip';

describe('a service controller comes to the same end, and breaks no rule on the way, when', () => {
  for (const [number, way] of SERVICE_WAYS.entries()) {
    it(`${way.name}: killed before and after each call, and started anew`, () => proveKills(way, 'all'));
    it(`${way.name}: killed at any call, in another cloud`, () => proveKills(way, 'different', OTHER_CLOUD));
    it(`${way.name}: with a cloud that fails it`, () =>
      proveFaults(way, cloudStrikes, (_, n) => n % SHARE === number % SHARE));
    it(`${way.name}: with a Kubernetes API that fails it`, () => proveFaults(way, kubeStrikes));
    it(`${way.name}: with a Kubernetes API that fails it for minutes`, async () => {
      for (const fault of KUBE_OUTAGES) await proveOutage(way, kubeOutage(fault));
    });
  }
});

describe('the controllers of nodes and routes come to the same end, and break no rule on the way, when', () => {
  for (const way of NODE_WAYS) {
    it(`${way.name}: killed before and after each call, and started anew`, () => proveKills(way, 'all'));
  }
  for (const [number, way] of SLOW_NODE_WAYS.entries()) {
    it(`${way.name}: with a cloud that fails it`, () =>
      proveFaults(way, cloudStrikes, (_, n) => n % SHARE === number % SHARE));
    it(`${way.name}: with a Kubernetes API that fails it`, () =>
      proveFaults(way, kubeStrikes, (_, n) => n % SHARE === number % SHARE));
  }
  // Those in which something is waited for, or could be taken for gone.
  for (const way of PATIENT_NODE_WAYS.filter(({ name }) => /before the cloud|off$|for good|not answer/.test(name))) {
    it(`${way.name}: with a cloud or a Kubernetes API that fails it for minutes`, async () => {
      const outages = [...CLOUD_FAULTS.map(cloudOutage), ...KUBE_OUTAGES.map(kubeOutage)];
      for (const outage of outages) await proveOutage(way, outage);
    });
  }
});
