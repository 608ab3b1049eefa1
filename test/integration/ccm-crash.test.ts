import { CLOUD_FAULTS } from '../crash/service-faults.ts';
import { JOURNEYS } from '../crash/service-journeys.ts';
import { proveFaults, proveKills, proveOutage } from '../crash/service-proofs.ts';

/** One in so many combinations of a call and a fault is tried here; `npm run test:crash` tries more. */
const SHARE = 53;

describe('a service controller comes to the same end, and breaks no rule on the way, when', () => {
  for (const [number, journey] of JOURNEYS.entries()) {
    it(`${journey.name}: killed at any call and started anew`, () => proveKills(journey, 'different'));
    it(`${journey.name}: with a cloud that fails it`, () =>
      proveFaults(journey, (_, n) => n % SHARE === number % SHARE));
  }

  const made = JOURNEYS.find(({ name }) => name === 'an elastic load balancer is made');
  const replaced = JOURNEYS.find(({ name }) => name === 'an elastic load balancer is replaced by an L4 one');
  it(`${replaced!.name}: with a cloud that is busy, so that the new one stays half-made for a while`, () =>
    proveFaults(replaced!, (text) => text.startsWith('processing')));

  for (const [number, fault] of CLOUD_FAULTS.entries()) {
    const journey = (number % 2 === 0 ? made : replaced)!;
    it(`${journey.name}, and for minutes every call meets this: ${fault.name}`, () => proveOutage(journey, fault));
  }
});
