import type { CrashWorld } from './crash-world.ts';
import type { Call, Disturbance } from './gate.ts';

/** Something that can go wrong with one call of the Kubernetes API. */
export interface KubeFault {
  readonly name: string;
  /** Which calls can meet it. */
  readonly strikes: 'calls' | 'changes' | 'any time';
  /** Done when the call is on its way. @returns what becomes of the call itself */
  readonly strike: (world: CrashWorld) => Disturbance | undefined;
}

/** Shorter than a request may take, in virtual ms. */
const SLOW_MS = 45_000;
/** Longer than that. */
const LOST_MS = 90_000;

const always = (name: string, strike: KubeFault['strike']): KubeFault => ({ name, strikes: 'calls', strike });

const refusal = (status: number, reason: string, headers: Readonly<Record<string, string>> = {}): Disturbance => ({
  side: 'before',
  answer: {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code: status,
      reason,
      message: reason,
    }),
  },
});

const late =
  (side: Disturbance['side'], delayMs: number): KubeFault['strike'] =>
  ({ time: { clock } }) => ({ side, delay: () => clock.sleep(delayMs) });

const ended =
  (lastEvent?: object): KubeFault['strike'] =>
  (world) => {
    world.endWatches(lastEvent);
    return undefined;
  };

const SOON = { 'retry-after': '1' };
const EXPIRED = {
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code: 410,
  reason: 'Expired',
  message: 'too old',
};

const KUBE_FAULTS: readonly KubeFault[] = [
  always('500', () => refusal(500, 'InternalError')),
  always('500 with Retry-After', () => refusal(500, 'InternalError', SOON)),
  always('503 with Retry-After', () => refusal(503, 'ServiceUnavailable', SOON)),
  always('429 with Retry-After', () => refusal(429, 'TooManyRequests', SOON)),
  always('429', () => refusal(429, 'TooManyRequests')),
  { name: '409', strikes: 'changes', strike: () => refusal(409, 'Conflict') },
  always('the page of a proxy', () => ({ side: 'before', answer: { status: 200, headers: {}, body: '<html>' } })),
  always('reset before', () => ({ side: 'before', answer: 'none' })),
  always('reset after', () => ({ side: 'after', answer: 'none' })),
  always('slow', late('after', SLOW_MS)),
  always('lost before', late('before', LOST_MS)),
  always('lost after', late('after', LOST_MS)),
  { name: 'watches cut', strikes: 'any time', strike: ended() },
  { name: 'watches expired', strikes: 'any time', strike: ended({ type: 'ERROR', object: EXPIRED }) },
];

/** What the API is like for a while, at every call. */
export const KUBE_OUTAGES = KUBE_FAULTS.filter(({ name }) => /^(500|429|reset before|lost before)$/.test(name));

/** A fault, at one call of a journey or for a while. */
export interface Strike {
  readonly text: string;
  readonly begin: (world: CrashWorld) => void;
}

/**
 * Everything that can go wrong once, with each call of the Kubernetes API; and what can at any time, also when the cloud is about to be
 * changed. @param calls of an undisturbed journey
 */
export function kubeStrikes(calls: readonly Call[]): readonly Strike[] {
  return calls.flatMap(({ api, mutating, text }, index) => {
    const number = index + 1;
    const canMeet = ({ strikes }: KubeFault): boolean => {
      if (strikes === 'any time') return api === 'kubernetes' || mutating || number === 1;
      return api === 'kubernetes' && (mutating || strikes === 'calls');
    };
    return KUBE_FAULTS.filter(canMeet).map(({ name, strike }) => ({
      text: `${name} at call ${number}, ${text}`,
      begin: (world) => (world.disturbs = (n) => (n === number ? strike(world) : undefined)),
    }));
  });
}

/** How long nothing works, in virtual ms: several pauses between tries. */
const OUTAGE_MS = 150_000;

/** A fault that all calls meet for a while. */
export function kubeOutage({ name, strike }: KubeFault): Strike {
  return {
    text: name,
    begin: (world) => {
      const endMs = world.time.clock.monotonicMs() + OUTAGE_MS;
      world.disturbs = (_, { api }) => {
        if (api !== 'kubernetes' || world.time.clock.monotonicMs() >= endMs) return undefined;
        return strike(world);
      };
    },
  };
}
