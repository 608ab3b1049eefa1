import { expect } from 'chai';
import type { Life } from './csi-life.ts';
import { live, type Place, type Report, type Trouble } from './csi-travel.ts';
import type { CsiWorld } from './csi-world.ts';
import type { Call } from './gate.ts';
import type { Strike } from './kube-faults.ts';

type Happening = 'killed' | 'lost' | 'impatient' | 'rivalled';

/** Moments of an undisturbed life. */
type Moments = Report['moments'];

/**
 * Lets the same happen at moments of a life, one in each of its steps: as many lives as the step with most moments needs. Each must end
 * every step as an undisturbed one does, and break no rule on the way.
 * @param choose of the moments of an undisturbed life
 */
export async function proveTrouble(
  life: Life,
  happening: Happening,
  choose: (moments: Moments) => Moments,
  trouble: Trouble = {},
): Promise<void> {
  const undisturbed = await live(life, trouble);
  expect(undisturbed.broken).to.deep.equal([]);
  const chosen = Map.groupBy(choose(undisturbed.moments), ({ step }) => step);
  expect(chosen.size).to.be.at.least(life.length / 2);
  const rounds = Math.max(...[...chosen.values()].map(({ length }) => length));
  for (let round = 0; round < rounds; round++) {
    const places = [...chosen.values()].flatMap((moments) => moments[round] ?? []);
    const at = (place: Place): Happening | void => {
      if (places.some((one) => isSame(one, place))) return happening;
    };
    await prove(life, { ...trouble, at: once(at) }, undisturbed, (step) => {
      const place = places.find((one) => one.step === step);
      return place === undefined ? 'undisturbed' : `${happening} ${nameOf(place)}`;
    });
  }
}

/**
 * Who is killed leaves nothing behind but what is there, and commands that are under way: of moments of a step at which the same is there,
 * one is as good as all.
 */
export function different(moments: Moments): Moments {
  const seen = new Set<string>();
  return moments.filter(({ step, moment: { side }, there }) => {
    const key = `${step} ${/during|midway/.test(side) ? side : ''} ${there}`;
    return !seen.has(key) && seen.add(key);
  });
}

export function all(moments: Moments): Moments {
  return moments;
}

/** Those of calls and commands that change something. */
export function changes(moments: Moments): Moments {
  return moments.filter(({ call }) => call.mutating);
}

/** One in so many of each step, and always one: not the same of all steps. */
export function oneIn(share: number, choose: (moments: Moments) => Moments): (moments: Moments) => Moments {
  return (moments) =>
    [...Map.groupBy(choose(moments), ({ step }) => step).values()].flatMap((ofStep, at) =>
      ofStep.filter((_, n) => n % Math.min(share, ofStep.length) === at % Math.min(share, ofStep.length)),
    );
}

/**
 * Lets calls go wrong, one in each step of a life.
 * @param strikes what can go wrong with the calls of an undisturbed step
 * @param isChosen of all that, by number
 */
export async function proveFaults(
  life: Life,
  strikes: (calls: readonly Call[]) => readonly Strike[],
  isChosen: (n: number) => boolean = () => true,
  switches = '',
): Promise<void> {
  const undisturbed = await live(life, { switches });
  const chosen = undisturbed.calls.map((calls, step) => strikes(calls).filter((_, n) => isChosen(n + step)));
  const rounds = Math.max(...chosen.map(({ length }) => length));
  expect(rounds).to.be.at.least(1);
  for (let round = 0; round < rounds; round++) {
    const begin = ({ apis }: CsiWorld, step: number): void => {
      apis.cloud.faults.clear();
      apis.disturbs = () => undefined;
      chosen[step]?.[round]?.begin(apis);
    };
    await prove(life, { begin, switches }, undisturbed, (step) => chosen[step]?.[round]?.text ?? 'undisturbed');
  }
}

/** Lets every call go wrong for a while, from the beginning of each step. */
export async function proveOutage(life: Life, { text, begin }: Strike): Promise<void> {
  const undisturbed = await live(life);
  await prove(life, { begin: ({ apis }) => begin(apis) }, undisturbed, () => text);
}

/** The cloud says no, once, to a call that changes something, and why is not known. */
export function refusals(calls: readonly Call[]): readonly Strike[] {
  const changing = calls.filter(({ api, mutating }) => api === 'cloud' && mutating);
  return changing.map(({ text: action }, at) => ({
    text: `refusal of ${action}`,
    begin: ({ cloud: { faults } }) => {
      const skip = changing.slice(0, at).filter(({ text }) => text === action).length;
      faults.add({ kind: 'refuse', code: 'Client.Inoperable.Volume.Unheard', action, skip, count: 1 });
    },
  }));
}

async function prove(
  life: Life,
  trouble: Trouble,
  undisturbed: Report,
  textOf: (step: number) => string,
): Promise<void> {
  const what = life.map(({ name }, step) => `${name}: ${textOf(step)}`);
  const report = await live(life, { at: () => {}, ...trouble }).catch((cause: unknown) => {
    throw new Error(`${String(cause)}\nin this life:\n${what.join('\n')}`, { cause });
  });
  expect(report.broken, what.join('\n')).to.deep.equal([]);
  for (const [step, text] of what.entries()) expect(report.ends[step], text).to.deep.equal(undisturbed.ends[step]);
}

function isSame(a: Place, b: Place): boolean {
  return a.step === b.step && a.moment.call === b.moment.call && a.moment.side === b.moment.side;
}

function nameOf({ moment, call }: Moments[number]): string {
  return `${moment.side} call ${moment.call}, ${call.text}`;
}

/** At a place at most once: calls are counted over all tries. */
function once(at: (place: Place) => Happening | void): NonNullable<Trouble['at']> {
  const happened = new Set<string>();
  return (place) => {
    const key = JSON.stringify(place);
    if (happened.has(key)) return;
    happened.add(key);
    return at(place);
  };
}
