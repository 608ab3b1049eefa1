import { CLOUD_FAULTS, cloudOutage, cloudStrikes } from '../crash/cloud-faults.ts';
import { KUBE_OUTAGES, kubeOutage, kubeStrikes } from '../crash/kube-faults.ts';
import { NODE_WAYS, PATIENT_NODE_WAYS, SLOW_NODE_WAYS } from '../crash/node-travel.ts';
import { proveFaults, proveKills, proveOutage, type Way } from '../crash/proofs.ts';

/** One in so many combinations of a call and a fault is tried here; `npm run test:crash` tries more. */
const SHARE = 101;
/** One in so many ways in which the cloud may be away. */
const OUTAGE_SHARE = 3;

const named = (part: string): Way => PATIENT_NODE_WAYS.find(({ name }) => name.includes(part))!;

describe('the controllers of nodes and routes come to the same end, and break no rule on the way, when', () => {
  for (const way of NODE_WAYS) {
    it(`${way.name}: killed at any call and started anew`, () => proveKills(way, 'different'));
  }
  for (const [number, way] of SLOW_NODE_WAYS.entries()) {
    it(`${way.name}: with a cloud or a Kubernetes API that fails it`, () =>
      proveFaults(
        way,
        (calls) => [...cloudStrikes(calls), ...kubeStrikes(calls)],
        (_, n) => n % SHARE === number,
      ));
  }

  const silent = named('do not answer');
  for (const fault of CLOUD_FAULTS.filter((_, n) => n % OUTAGE_SHARE === 0)) {
    it(`${silent.name}, and for minutes every call of the cloud meets this: ${fault.name}`, () =>
      proveOutage(silent, cloudOutage(fault)));
  }
  for (const [number, fault] of KUBE_OUTAGES.entries()) {
    const way = number % 2 === 0 ? named('three nodes join') : named('for good');
    it(`${way.name}, and for minutes every call of the Kubernetes API meets this: ${fault.name}`, () =>
      proveOutage(way, kubeOutage(fault)));
  }
});
