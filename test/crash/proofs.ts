import { expect } from 'chai';
import type { CrashWorld, Moment } from './crash-world.ts';
import type { Strike } from './kube-faults.ts';

/** What may happen to a run of a program besides the journey. */
export interface Trouble {
  readonly killAt?: Moment;
  /** Asked when the journey begins. */
  readonly begin?: (world: CrashWorld) => void;
  readonly onMoment?: CrashWorld['onMoment'];
  /** Of the simulator, once the journey begins: how a cloud behaves of which nobody knows. */
  readonly switches?: string;
}

/** How a journey went. */
export interface Report {
  /** What there is in the end, without what may differ from one run to another. */
  readonly end: readonly string[];
  readonly calls: CrashWorld['calls'];
  /** Rules that were broken at any time, each with the call after which it was. */
  readonly broken: readonly string[];
}

/** Something that happens, and has to come to the same end whatever goes wrong on the way. */
export interface Way {
  readonly name: string;
  /** Goes it once, in a world of its own, until nothing is left to do. */
  readonly travel: (trouble?: Trouble) => Promise<Report>;
  /** What there is now, as text that differs whenever what matters does. */
  readonly whatIsThere: (world: CrashWorld) => string;
}

/**
 * Kills the program before and after each call of a journey.
 * @param which `all` moments, or those that are `different`: who is killed leaves nothing behind but what is there, so moments at which
 * the same is there are as good as one
 * @param switches of the simulator
 */
export async function proveKills(way: Way, which: 'all' | 'different', switches = ''): Promise<void> {
  const moments = new Map<string, Moment>();
  let world: CrashWorld | undefined;
  const recorded = await way.travel({
    switches,
    begin: (begun) => (world = begun),
    onMoment: (moment) => {
      const key = which === 'different' && world !== undefined ? way.whatIsThere(world) : JSON.stringify(moment);
      if (!moments.has(key)) moments.set(key, moment);
    },
  });
  expect(recorded.broken).to.deep.equal([]);
  expect(moments).not.to.be.empty;
  for (const killAt of moments.values()) {
    const { call, side } = killAt;
    await prove(way, { killAt }, recorded.end, `killed ${side} call ${call}, ${recorded.calls[call - 1]?.text}`);
  }
}

/** Lets every call go wrong for minutes. */
export async function proveOutage(way: Way, { text, begin }: Strike): Promise<void> {
  await prove(way, { begin }, (await undisturbed(way)).end, text);
}

/**
 * Lets calls go wrong, one in each run of a journey.
 * @param strikes what can go wrong with the calls of an undisturbed journey
 * @param isChosen of all that, by text and number
 */
export async function proveFaults(
  way: Way,
  strikes: (calls: Report['calls']) => readonly Strike[],
  isChosen: (text: string, n: number) => boolean = () => true,
): Promise<void> {
  const { end, calls } = await undisturbed(way);
  const chosen = strikes(calls).filter(({ text }, n) => isChosen(text, n));
  expect(chosen).not.to.be.empty;
  for (const { text, begin } of chosen) await prove(way, { begin }, end, text);
}

async function prove(way: Way, trouble: Trouble, wantedEnd: readonly string[], text: string): Promise<void> {
  const { end, broken } = await way.travel(trouble).catch((cause: unknown) => {
    throw new Error(`${text}: ${String(cause)}`, { cause });
  });
  expect(broken, text).to.deep.equal([]);
  expect(end, text).to.deep.equal(wantedEnd);
}

const reports = new Map<Way, Promise<Report>>();

/** How a journey goes by itself, which is looked at once. */
async function undisturbed(way: Way): Promise<Report> {
  const known = reports.get(way) ?? way.travel();
  reports.set(way, known);
  const report = await known;
  expect(report.broken).to.deep.equal([]);
  return report;
}
