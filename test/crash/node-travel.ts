import { ccmProgram } from './ccm-program.ts';
import { CrashWorld, type Past, type Program, type Quiet } from './crash-world.ts';
import { FLEET, newNode, NODE_JOURNEYS, NODES, ROUTES, type NodeJourney } from './node-journeys.ts';
import type { Report, Trouble, Way } from './proofs.ts';

const CONTROLLERS = 'cloud-node-controller,cloud-node-lifecycle-controller,node-route-controller';

const ccm = ccmProgram([
  `--controllers=${CONTROLLERS}`,
  '--node-deletion-min-age=1s',
  '--node-status-update-frequency=30s',
  '--route-reconciliation-period=30s',
  ...ROUTES.flags,
]);

const PROGRAM: Program = ({ environment, ...rest }, signal) =>
  ccm({ ...rest, environment: { ...environment, ...ROUTES.environment } }, signal);

/** Nodes are looked at all the time: nothing is left to do when nothing was changed for longer than from one round to the next. */
const quietFor = (forMs: number): Quiet => ({ forMs, endsBy: ({ mutating }) => mutating });

const waysOf = (quiet: Quiet): readonly Way[] =>
  NODE_JOURNEYS.map((journey) => ({
    name: journey.name,
    travel: (trouble) => travel(journey, quiet, trouble),
    whatIsThere,
  }));

/** All journeys of Nodes. */
export const NODE_WAYS: readonly Way[] = waysOf(quietFor(40_000));

/** The same where a call may take as long as it can. */
export const SLOW_NODE_WAYS: readonly Way[] = waysOf(quietFor(130_000));

/** The same where so much fails that pauses grow for minutes. */
export const PATIENT_NODE_WAYS: readonly Way[] = waysOf(quietFor(400_000));

/** Worlds in which these Nodes are initialised, by their names: each is made once. */
const pasts = new Map<string, Promise<Past>>();

async function travel(journey: NodeJourney, quiet: Quiet, trouble: Trouble = {}): Promise<Report> {
  const world = new CrashWorld(PROGRAM, quiet);
  await world.start(await pastWith(journey.given), trouble.switches);
  try {
    await world.run();
    await world.settle();
    await journey.before?.(world);
    await world.settle();
    const broken: string[] = [];
    const check = (moment: string): void => {
      for (const problem of problemsOf(world, journey)) {
        if (!broken.some((one) => one.startsWith(problem))) broken.push(`${problem} (${moment})`);
      }
    };
    world.onMoment = (moment, call) => {
      check(`${moment.side} call ${moment.call}, ${call.text}`);
      return trouble.onMoment?.(moment, call);
    };
    world.count(trouble.killAt);
    trouble.begin?.(world);
    await journey.happens(world);
    await world.settle();
    check('at the end');
    return { end: endState(world), calls: world.calls.slice(), broken };
  } finally {
    await world.stop();
  }
}

async function pastWith(given: readonly string[]): Promise<Past> {
  const key = given.join(' ');
  const known = pasts.get(key) ?? makePast(given);
  pasts.set(key, known);
  return await known;
}

async function makePast(given: readonly string[]): Promise<Past> {
  const world = new CrashWorld(PROGRAM, quietFor(40_000));
  await world.start({ fleet: FLEET, objects: [] });
  try {
    await world.run();
    for (const name of given) await world.kube('POST', NODES, newNode(name));
    await world.settle();
    return world.past;
  } finally {
    await world.stop();
  }
}

interface Node {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly providerID?: string;
    readonly podCIDR?: string;
    readonly taints?: readonly { readonly key: string }[];
  };
  readonly status?: { readonly addresses?: readonly { readonly address: string }[] };
}

function nodesOf({ api }: CrashWorld): readonly Node[] {
  return api.store.list('nodes') as unknown as readonly Node[];
}

/** What must not be at any moment, whatever is being changed and whoever dies. */
function* problemsOf(world: CrashWorld, { given, vanish = [] }: NodeJourney): Generator<string> {
  const nodes = nodesOf(world);
  const names = nodes.map(({ metadata }) => metadata.name);
  for (const name of given) if (!names.includes(name) && !vanish.includes(name)) yield `node ${name} is gone`;
  for (const { metadata, spec } of nodes) {
    const isTainted = spec.taints?.some(({ key }) => key.endsWith('/uninitialized')) ?? false;
    const isWhole = spec.providerID !== undefined && metadata.labels?.['topology.kubernetes.io/region'] !== undefined;
    if (!isTainted && !isWhole) yield `node ${metadata.name} takes pods before it is initialised`;
  }
  const { routes } = world.cloud.state().routeTables[0]!;
  const destinations = routes.map(({ destinationCidr }) => destinationCidr);
  if (new Set(destinations).size < destinations.length) yield `routes come twice: ${destinations.join(' ')}`;
}

function whatIsThere(world: CrashWorld): string {
  return JSON.stringify([endState(world), world.cloud.state().routeTables]);
}

/** Left out: times, versions, and what is chosen anew for each thing that is made. */
const VOLATILE: readonly string[] = [
  'creationTimestamp',
  'resourceVersion',
  'uid',
  'lastHeartbeatTime',
  'lastTransitionTime',
];

function endState(world: CrashWorld): Report['end'] {
  const { routeTables } = world.cloud.state();
  const things = [...nodesOf(world), ...routeTables.flatMap(({ routes }) => routes)];
  return things
    .map((thing) => JSON.stringify(thing, (key, value: unknown) => (VOLATILE.includes(key) ? undefined : value)))
    .toSorted();
}
