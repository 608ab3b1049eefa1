import type { CrashWorld } from './crash-world.ts';
import type { Call } from './gate.ts';
import type { Strike } from './kube-faults.ts';

type Fault = Parameters<CrashWorld['cloud']['faults']['add']>[0];

/** Something that can go wrong with one call of the cloud. */
export interface CloudFault {
  readonly name: string;
  /** Only calls that change something are struck. */
  readonly strikesChangesOnly: boolean;
  /** What the simulator is to do. */
  readonly fault: (action: string) => Pick<Fault, 'kind' | 'when' | 'code' | 'status' | 'delayMs'>;
}

const always = (fault: ReturnType<CloudFault['fault']>, name: string = fault.kind): CloudFault => ({
  name,
  strikesChangesOnly: false,
  fault: () => fault,
});

const LOCKED: readonly (readonly [part: RegExp, resource: string])[] = [
  [/ElasticLoadBalancer/, 'ElasticLoadBalancer'],
  [/SecurityGroup/, 'SecurityGroup'],
  [/LoadBalancer|HealthCheck/, 'LoadBalancer'],
];

export const CLOUD_FAULTS: readonly CloudFault[] = [
  always({ kind: 'drop-before' }),
  always({ kind: 'drop-after' }),
  always({ kind: 'throttle' }),
  always({ kind: 'refuse', code: 'Server.InternalError' }, 'internal error'),
  always({ kind: 'refuse', code: 'Server.Maintenance' }, 'maintenance'),
  always({ kind: 'malformed' }),
  always({ kind: 'truncated' }),
  always({ kind: 'cut-off' }),
  always({ kind: 'gateway-error', when: 'before' }, 'gateway error before'),
  always({ kind: 'gateway-error', when: 'after' }, 'gateway error after'),
  always({ kind: 'hang', when: 'before' }, 'hang before'),
  always({ kind: 'hang', when: 'after' }, 'hang after'),
  always({ kind: 'slow', when: 'after', delayMs: 45_000 }, 'slow'),
  {
    name: 'processing',
    strikesChangesOnly: true,
    fault: (action) => {
      const resource = LOCKED.find(([part]) => part.test(action))?.[1] ?? 'Instance';
      return { kind: 'refuse', code: `Server.ResourceIncorrectState.${resource}.Processing` };
    },
  },
  // Longer than a minute, shorter than what is given up on.
  { name: 'slow transition', strikesChangesOnly: true, fault: () => ({ kind: 'slow-transition', delayMs: 90_000 }) },
];

/**
 * Everything that can go wrong once, with each call of the cloud. Of several looks in a row, as they come while the cloud is waited
 * for, the first one stands for all.
 * @param calls of an undisturbed journey
 */
export function cloudStrikes(calls: readonly Call[]): readonly Strike[] {
  const cloud = calls.filter(({ api }) => api === 'cloud');
  return cloud.flatMap(({ text: action, mutating }, index) => {
    const before = cloud.slice(0, index);
    if (!mutating && before.at(-1)?.text === action) return [];
    return CLOUD_FAULTS.filter(({ strikesChangesOnly }) => mutating || !strikesChangesOnly).map((one) => {
      const fault = one.fault(action);
      // The simulator counts only changes for slow transitions.
      const skip = fault.kind === 'slow-transition' ? before.filter((other) => other.mutating).length : before.length;
      return {
        text: `${one.name} at call ${index + 1} of the cloud, ${action}`,
        begin: ({ cloud: { faults } }) => void faults.add({ ...fault, skip, count: 1 }),
      };
    });
  });
}

/** How long nothing works, in virtual ms: several pauses between tries. */
const OUTAGE_MS = 150_000;

/** A fault that strikes all calls for a while. */
export function cloudOutage({ name, fault }: CloudFault): Strike {
  return {
    text: name,
    begin: ({ cloud: { faults }, time: { clock } }) => {
      const id = faults.add(fault('NiftyUpdateElasticLoadBalancer'));
      void clock.sleep(OUTAGE_MS).then(() => faults.remove(id));
    },
  };
}
