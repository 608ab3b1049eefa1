import { CLOUD_FAULTS, cloudOutage, cloudStrikes } from '../crash/cloud-faults.ts';
import { KUBE_OUTAGES, kubeOutage, kubeStrikes } from '../crash/kube-faults.ts';
import { proveFaults, proveKills, proveOutage } from '../crash/proofs.ts';
import { SERVICE_WAYS } from '../crash/service-travel.ts';

/** One in so many combinations of a call and a fault is tried here; `npm run test:crash` tries more. */
const SHARE = 53;
const KUBE_SHARE = 17;

describe('a service controller comes to the same end, and breaks no rule on the way, when', () => {
  for (const [number, way] of SERVICE_WAYS.entries()) {
    it(`${way.name}: killed at any call and started anew`, () => proveKills(way, 'different'));
    it(`${way.name}: with a cloud that fails it`, () =>
      proveFaults(way, cloudStrikes, (_, n) => n % SHARE === number % SHARE));
  }

  const made = SERVICE_WAYS.find(({ name }) => name === 'an elastic load balancer is made')!;
  const replaced = SERVICE_WAYS.find(({ name }) => name === 'an elastic load balancer is replaced by an L4 one')!;
  it(`${replaced.name}: with a cloud that is busy, so that the new one stays half-made for a while`, () =>
    proveFaults(replaced, cloudStrikes, (text) => text.startsWith('processing')));

  for (const [number, fault] of CLOUD_FAULTS.entries()) {
    const way = number % 2 === 0 ? made : replaced;
    it(`${way.name}, and for minutes every call of the cloud meets this: ${fault.name}`, () =>
      proveOutage(way, cloudOutage(fault)));
  }
  for (const [number, way] of [made, replaced].entries()) {
    it(`${way.name}: with a Kubernetes API that fails it`, () =>
      proveFaults(way, kubeStrikes, (_, n) => n % KUBE_SHARE === number));
  }
  for (const [number, fault] of KUBE_OUTAGES.entries()) {
    const way = number % 2 === 0 ? made : replaced;
    it(`${way.name}, and for minutes every call of the Kubernetes API meets this: ${fault.name}`, () =>
      proveOutage(way, kubeOutage(fault)));
  }
});
