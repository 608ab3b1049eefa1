import { expect } from 'chai';
import type { CrashWorld, Moment } from './crash-world.ts';
import { outage, strikes, type CloudFault } from './service-faults.ts';
import type { Journey } from './service-journeys.ts';
import { travel, whatIsThere, type Report, type Trouble } from './service-travel.ts';

/**
 * Kills the controller before and after each call of a journey.
 * @param which `all` moments, or those that are `different`: who is killed leaves nothing behind but what is there, so moments at which
 * the same is there are as good as one
 * @param switches of the simulator
 */
export async function proveKills(journey: Journey, which: 'all' | 'different', switches = ''): Promise<void> {
  const moments = new Map<string, Moment>();
  let world: CrashWorld | undefined;
  const recorded = await travel(journey, {
    switches,
    begin: (begun) => (world = begun),
    onMoment: (moment) => {
      const key = which === 'different' && world !== undefined ? whatIsThere(world) : JSON.stringify(moment);
      if (!moments.has(key)) moments.set(key, moment);
    },
  });
  expect(recorded.broken).to.deep.equal([]);
  expect(moments.size).to.be.at.least(3);
  for (const killAt of moments.values()) {
    const { call, side } = killAt;
    await prove(journey, { killAt }, recorded.end, `killed ${side} call ${call}, ${recorded.calls[call - 1]?.text}`);
  }
}

/** Lets every call of the cloud go wrong for minutes. */
export async function proveOutage(journey: Journey, fault: CloudFault): Promise<void> {
  await prove(journey, { begin: outage(fault) }, (await undisturbed(journey)).end, fault.name);
}

/**
 * Lets calls of the cloud go wrong, one in each run of a journey.
 * @param isChosen of all combinations of a call and a fault, by text and number
 */
export async function proveFaults(journey: Journey, isChosen: (text: string, n: number) => boolean): Promise<void> {
  const { end, calls } = await undisturbed(journey);
  const chosen = strikes(calls).filter(({ text }, n) => isChosen(text, n));
  expect(chosen).not.to.be.empty;
  for (const { text, begin } of chosen) await prove(journey, { begin }, end, text);
}

async function prove(journey: Journey, trouble: Trouble, wantedEnd: readonly string[], text: string): Promise<void> {
  const { end, broken } = await travel(journey, trouble).catch((cause: unknown) => {
    throw new Error(`${text}: ${String(cause)}`, { cause });
  });
  expect(broken, text).to.deep.equal([]);
  expect(end, text).to.deep.equal(wantedEnd);
}

const reports = new Map<Journey, Promise<Report>>();

/** How a journey goes by itself, which is looked at once. */
async function undisturbed(journey: Journey): Promise<Report> {
  const known = reports.get(journey) ?? travel(journey);
  reports.set(journey, known);
  const report = await known;
  expect(report.broken).to.deep.equal([]);
  return report;
}
