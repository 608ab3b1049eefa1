import { JOURNEYS } from './service-journeys.ts';
import { proveFaults, proveKills } from './service-proofs.ts';

/** One in so many combinations of a call and a fault. */
const SHARE = 3;

/** The other way than elsewhere, where nobody knows how the cloud is. */
const OTHER_CLOUD = 'updated-listener=reset,batched-rules=partial,error-status=400,unknown-names=skip';

describe('a service controller comes to the same end, and breaks no rule on the way, when', () => {
  for (const [number, journey] of JOURNEYS.entries()) {
    it(`${journey.name}: killed before and after each call, and started anew`, () => proveKills(journey, 'all'));
    it(`${journey.name}: killed at any call, in another cloud`, () => proveKills(journey, 'different', OTHER_CLOUD));
    it(`${journey.name}: with a cloud that fails it`, () =>
      proveFaults(journey, (_, n) => n % SHARE === number % SHARE));
  }
});
