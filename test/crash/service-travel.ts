import { ccmProgram } from './ccm-program.ts';
import { CrashWorld, type Past } from './crash-world.ts';
import type { Report, Trouble, Way } from './proofs.ts';
import { JOURNEYS, node, SERVICES, type Journey } from './service-journeys.ts';
import { ServiceRules } from './service-rules.ts';

/** Nothing is put right but by what happens: not by the next periodic look. */
const PROGRAM = ccmProgram(['--controllers=service-lb-controller', '--load-balancer-resync-period=0']);

const NO_SERVICE = {};

/** Worlds in which a Service has its load balancer, by that Service: each is made once. */
const pasts = new Map<object, Promise<Past>>();

/** All journeys of Services. */
export const SERVICE_WAYS: readonly Way[] = JOURNEYS.map((journey) => ({
  name: journey.name,
  travel: (trouble) => travel(journey, trouble),
  whatIsThere,
}));

async function travel(journey: Journey, trouble: Trouble = {}): Promise<Report> {
  const world = new CrashWorld(PROGRAM);
  await world.start(await pastWith(journey.given), trouble.switches);
  try {
    await world.run();
    await world.settle();
    const rules = new ServiceRules(world, journey);
    world.onMoment = (moment, call) => {
      // Nothing changes but by calls that change something, and by time, which stands still during a call.
      if (moment.side === 'before' || call.mutating) rules.check(`${moment.side} call ${moment.call}, ${call.text}`);
      trouble.onMoment?.(moment, call);
    };
    await journey.before?.(world);
    world.count(trouble.killAt);
    trouble.begin?.(world);
    await journey.happens(world);
    await world.settle();
    rules.check('at the end');
    rules.checkEnd();
    return { end: endState(world), calls: world.calls.slice(), broken: rules.broken };
  } finally {
    await world.stop();
  }
}

async function pastWith(given: object | undefined): Promise<Past> {
  const key = given ?? NO_SERVICE;
  const known = pasts.get(key);
  if (known !== undefined) return await known;
  const made = makePast(given);
  pasts.set(key, made);
  return await made;
}

async function makePast(given: object | undefined): Promise<Past> {
  const world = new CrashWorld(PROGRAM);
  await world.start();
  try {
    for (const name of ['node01', 'node02']) await world.kube('POST', '/api/v1/nodes', node(name));
    if (given !== undefined) await world.kube('POST', SERVICES, given);
    await world.run();
    await world.settle();
    return world.past;
  } finally {
    await world.stop();
  }
}

function whatIsThere({ cloud, api }: CrashWorld): string {
  const { loadBalancers, elasticLoadBalancers, firewallGroups } = cloud.state();
  return JSON.stringify([
    loadBalancers,
    elasticLoadBalancers,
    firewallGroups,
    api.store.get('services', 'default/web'),
  ]);
}

/** Left out: times, versions, and what is chosen anew for each thing that is made. */
const VOLATILE = [
  'creationTimestamp',
  'createdAt',
  'addedAtMs',
  'resourceVersion',
  'listensAt',
  'state',
  'uniqueId',
  'emptied',
  'routeTableId',
];

function endState({ cloud, api }: CrashWorld): Report['end'] {
  const { loadBalancers, elasticLoadBalancers, firewallGroups } = cloud.state();
  const addresses = new Map<string, string>();
  for (const one of loadBalancers) addresses.set(one.vip, 'L4');
  for (const { interfaces } of elasticLoadBalancers) {
    for (const { ipAddress, systemIpAddresses } of interfaces) {
      addresses.set(ipAddress, 'elastic');
      systemIpAddresses.forEach((address, n) => addresses.set(address, `system ${n}`));
    }
  }
  const service = api.store.get('services', 'default/web') ?? 'no Service';
  return [...loadBalancers, ...elasticLoadBalancers, ...firewallGroups, service].map((thing) =>
    JSON.stringify(inOrder(thing), (key, value: unknown) => {
      if (VOLATILE.includes(key)) return undefined;
      return typeof value === 'string' ? (addresses.get(value) ?? value) : value;
    }),
  );
}

/** With every list sorted: their order says nothing. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(inOrder).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inOrder(one)]));
}
