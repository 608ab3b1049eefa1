import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import {
  attached,
  brokenInTheCloud,
  created,
  deleted,
  detached,
  disksIn,
  grown,
  HANDLE,
  type Kept,
  type Step,
} from './csi-life.ts';
import { CsiWorld } from './csi-world.ts';

/**
 * Two calls about one volume that are under way at the same time, in two processes of the driver: sidecars have leaders of their own, and
 * when a leader changes, what the old one had begun goes on (docs/reference/csi.md E.1).
 */
interface Duel {
  readonly name: string;
  readonly given: readonly Step[];
  readonly first: Step;
  /** Whoever made the first call is no longer there to make it again. */
  readonly isFirstGivenUp: boolean;
  readonly second: Step;
  /** What is so when both have ended. @param server that has the disk */
  readonly end: { readonly server: string; readonly sizeGB: number } | undefined;
  /** What must go well after that. */
  readonly afterwards: readonly Step[];
}

export const DUELS: readonly Duel[] = [
  {
    name: 'a disk that is being attached is ordered back',
    given: [created],
    first: attached('node01', 100),
    isFirstGivenUp: true,
    second: detached('node01', 100),
    // Either may be the last.
    end: undefined,
    afterwards: [attached('node02', 100), detached('node02', 100), deleted(100)],
  },
  {
    name: 'a disk that is being attached is wanted by another node',
    given: [created],
    first: attached('node01', 100),
    isFirstGivenUp: true,
    second: withBefore(attached('node02', 100), (world) => world.cluster.detach(HANDLE, 'node01')),
    end: { server: 'node02', sizeGB: 100 },
    afterwards: [detached('node02', 100), deleted(100)],
  },
  {
    name: 'a disk that grows is wanted by a node',
    given: [created],
    first: grown(300, 'detached'),
    isFirstGivenUp: false,
    second: attached('node02', 300),
    end: { server: 'node02', sizeGB: 300 },
    afterwards: [detached('node02', 300), deleted(300)],
  },
  {
    // It is a host for growth, too: the first by name.
    name: 'a disk that grows is wanted by the very node that has it for that',
    given: [created],
    first: grown(300, 'detached'),
    isFirstGivenUp: false,
    second: attached('node01', 300),
    end: { server: 'node01', sizeGB: 300 },
    afterwards: [detached('node01', 300), deleted(300)],
  },
  {
    name: 'a disk that grows where it is attached is ordered back',
    given: [created, attached('node01', 100)],
    first: grown(300, 'attached'),
    isFirstGivenUp: false,
    second: detached('node01', 300),
    end: { server: '', sizeGB: 300 },
    afterwards: [attached('node02', 300), detached('node02', 300), deleted(300)],
  },
  {
    name: 'a disk that is being detached is to grow',
    given: [created, attached('node01', 100)],
    first: detached('node01', 300),
    isFirstGivenUp: false,
    second: grown(300, 'detached'),
    end: { server: '', sizeGB: 300 },
    afterwards: [attached('node02', 300), detached('node02', 300), deleted(300)],
  },
];

function withBefore(step: Step, before: NonNullable<Step['before']>): Step {
  return { ...step, before: (world) => (before(world), step.before?.(world)) };
}

/** Between two tries of one sidecar, in virtual ms. */
const PAUSE_MS = 1_000;
const TRIES = 100;

/** Fights a duel once for each moment of the first call at which the second can begin. @param isChosen of all moments, by number */
export async function proveDuel(duel: Duel, isChosen: (n: number) => boolean = () => true): Promise<void> {
  const moments = await fight(duel, Infinity);
  const chosen = Array.from({ length: moments }, (_, n) => n + 1).filter(isChosen);
  expect(chosen).not.to.be.empty;
  for (const moment of chosen) await fight(duel, moment);
}

/** @param begins the moment at which the second call begins; one that never comes: when the first has ended @returns how many there are */
async function fight(duel: Duel, begins: number): Promise<number> {
  const world = await CsiWorld.start();
  const text = `the second call began at moment ${begins}`;
  try {
    await world.startControllers(2);
    const kept: Kept = { volumeContext: {}, publishContext: {} };
    for (const step of duel.given) await inTurn(world, step, kept);
    const broken: string[] = [];
    let moments = 0;
    let second: Promise<void> | undefined;
    let rules: Step = { ...duel.first, atMostGB: duel.end?.sizeGB ?? 100 };
    /** The first has looked for a VolumeAttachment before there was the second's, and may act on that just after it is there. */
    let hasLooked = false;
    const beginSecond = async (): Promise<void> => {
      duel.second.before?.(world);
      await perform(world, duel.second, kept, { which: 1, tries: TRIES });
      // What it was promised stays so, whatever the first call still does.
      const server = duel.end?.server ?? '';
      if (server !== '' && !hasLooked) rules = { ...rules, heldBy: server };
    };
    world.onMoment = (moment, call) => {
      moments += 1;
      const when = `${moment.side} call ${moment.call}, ${call.text}`;
      for (const rule of brokenInTheCloud(rules, world.cloud.state())) broken.push(`${rule}, but not ${when}`);
      if (second === undefined && moment.side === 'after') hasLooked ||= call.text.includes('/volumeattachments/');
      if (moments === begins) second = beginSecond();
    };
    duel.first.before?.(world);
    const first = perform(world, duel.first, kept, { which: 0, tries: duel.isFirstGivenUp ? 1 : TRIES });
    await ended(world, first.catch(duel.isFirstGivenUp ? () => {} : undefined));
    const all = moments;
    await ended(world, second ?? beginSecond());
    world.onMoment = () => {};
    // The attacher finds that within a minute, when it compares what is attached with what it wants (docs/reference/csi.md E.1).
    if (hasLooked) await inTurn(world, duel.second, kept);
    expect(broken, text).to.deep.equal([]);
    if (duel.end !== undefined) {
      const disk = world.cloud.state().volumes.find(({ id }) => id === HANDLE);
      expect({ server: disk?.attachment?.serverName ?? '', sizeGB: disk?.sizeGB }, text).to.deep.equal(duel.end);
    }
    for (const step of duel.afterwards) await inTurn(world, step, kept);
    expect(disksIn(world.cloud.state()), text).to.have.length(2);
    return all;
  } catch (cause) {
    throw new Error(`${text}: ${String(cause)}`, { cause });
  } finally {
    await world.stop();
  }
}

async function inTurn(world: CsiWorld, step: Step, kept: Kept): Promise<void> {
  step.before?.(world);
  await ended(world, perform(world, step, kept, { which: 0, tries: TRIES }));
}

/** Lets time pass until some work has ended. */
async function ended(world: CsiWorld, work: Promise<void>): Promise<void> {
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  over.catch(() => undefined);
  await world.until(() => isOver);
  await over;
}

/** As a sidecar does. @throws when it has tried often enough */
async function perform(
  world: CsiWorld,
  step: Step,
  kept: Kept,
  { which, tries }: { readonly which: number; readonly tries: number },
): Promise<void> {
  for (let left = tries; ; left--) {
    const { code, text, response } = await world.beginControllerCall(step.rpc, step.request(kept, ''), which).done;
    if (response !== undefined) return await step.after?.(world, response as never, kept);
    if (left === 1) throw new Error(`${step.name} fails for ever: ${status[code]}: ${text}`);
    await world.apis.time.clock.sleep(PAUSE_MS);
  }
}
