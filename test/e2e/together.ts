import { Cluster } from './cluster.ts';
import { nothingLeft, Scenario } from './scenario.ts';

type Play = (story: Scenario) => Promise<void>;

/**
 * For a suite of scenarios that leave alone what the others are about. Each is a test, and all are played at once, since each
 * mostly waits: the first test starts them. After the suite nothing may be left of any.
 */
export function playedTogether(): (title: string, namespace: string, play: Play) => void {
  const plays: (() => Promise<void>)[] = [];
  let outcomes: readonly Promise<void>[] = [];
  const start = (): readonly Promise<void>[] => {
    const started = plays.map((play) => play());
    // One that fails before its test has come is no unhandled rejection.
    for (const outcome of started) outcome.catch(() => undefined);
    return started;
  };
  after(async () => {
    await Promise.allSettled(outcomes);
    await nothingLeft(await Cluster.get());
  });
  return (title, namespace, play) => {
    const index = plays.push(() => perform(namespace, play)) - 1;
    it(title, async () => {
      if (outcomes.length === 0) outcomes = start();
      await outcomes[index];
    });
  };
}

async function perform(namespace: string, play: Play): Promise<void> {
  const story = await Scenario.begin(namespace);
  try {
    await play(story);
  } finally {
    await story.deleteNamespace();
  }
}
