import {
  isAuthFailure,
  isInternalError,
  isMaintenance,
  isThrottled,
  isUnknownOutcome,
  NifcloudError,
} from '../../nifcloud/errors.ts';
import type { L4LoadBalancer, L4LoadBalancers } from '../../nifcloud/l4-load-balancers.ts';
import { attributeOf, type AttributeKind, type RefusedAttributes, type Step } from './l4-plan.ts';

/**
 * Looks at one load balancer in one go. Making one with three ports, or replacing all three, takes three; the rest is for lost
 * answers.
 */
const MAX_LOOKS = 10;

/** The calls of the cloud that are needed here. */
export type L4Calls = Pick<
  L4LoadBalancers,
  | 'list'
  | 'create'
  | 'registerPort'
  | 'updateListener'
  | 'setFilter'
  | 'configureHealthCheck'
  | 'registerTargets'
  | 'setOptions'
  | 'setCertificate'
  | 'deregisterTargets'
  | 'update'
  | 'deleteListener'
>;

type Call = Exclude<Step, { kind: 'observe-again' }>;

export interface Settled {
  /** As seen before the last steps; `undefined` = it did not exist. */
  readonly seen: L4LoadBalancer | undefined;
  /** The address; `''` = there is none, or the cloud does not name it. */
  readonly vip: string;
  /** Refused calls, each of which concerned one listener or server; everything else was done. */
  readonly refusals: readonly Error[];
}

/**
 * Looks, has `decide` say what is to be done, does it, and looks again until nothing is to be looked at any more.
 *
 * - After a lost answer nothing is sent before the load balancer was looked at again.
 * - A refused call ends what was planned for its listener (a filter that could not be set must not be followed by targets), which is
 *   planned anew without it, and nothing else; it is not sent again. Servers are registered and deregistered together; if the cloud
 *   objects to one of them, each by itself.
 * - Nor is a call that succeeded: what the cloud does not show at once is looked for later.
 * @param decide is told what the cloud refused to set
 * @param first lists for the first look
 * @throws what is no matter of one call: throttling, refused credentials, maintenance, no connection, what `decide` throws
 */
export async function settle(
  calls: L4Calls,
  name: string,
  decide: (seen: L4LoadBalancer | undefined, refused: RefusedAttributes) => Promise<readonly Step[]>,
  signal: AbortSignal,
  first: L4Calls['list'] = (until) => calls.list(until),
): Promise<Settled> {
  const sent: Sent = { refused: new Map(), done: new Set(), attributes: new Set() };
  let made = '';
  const call = async (step: Call): Promise<void> => {
    const text = JSON.stringify(step);
    if (sent.done.has(text))
      throw new Error(`load balancer ${name} does not show yet what the cloud did: ${step.kind}`);
    made = (await send(calls, name, step, signal)) ?? made;
    sent.done.add(text);
  };
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const all = await (looks === 0 ? first(signal) : calls.list(signal));
    const seen = all.find((one) => one.name === name);
    const lookAgain = await apply(call, await decide(seen, sent.attributes), sent);
    if (!lookAgain) return { seen, vip: seen?.vip ?? made, refusals: [...sent.refused.values()] };
  }
  throw new Error(`load balancer ${name} is still not as wanted after ${MAX_LOOKS} looks`);
}

/** What became of the steps of all looks. */
interface Sent {
  /** By the step as text. */
  readonly refused: Map<string, NifcloudError>;
  /** Steps as text. */
  readonly done: Set<string>;
  /** Refused as well, or what has to come before them: the next plan does without. */
  readonly attributes: Set<string>;
}

/** @returns whether to look again: there is something new to be seen or to be planned, and the plan went only that far */
async function apply(
  call: (step: Call) => Promise<void>,
  steps: readonly Step[],
  { refused, attributes }: Sent,
): Promise<boolean> {
  const stopped = new Set<number>(); // ports of the load balancer
  const waiting = [...steps];
  let hasChanged = false;
  let isWithout = false; // an attribute that was planned
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    if (step.kind === 'observe-again') return hasChanged || isWithout;
    const port = 'ports' in step ? step.ports.loadBalancerPort : undefined;
    if (port !== undefined && stopped.has(port)) continue;
    const text = JSON.stringify(step);
    let refusal = refused.get(text);
    if (refusal === undefined) {
      try {
        await call(step);
        hasChanged = true;
        continue;
      } catch (error) {
        if (isUnknownOutcome(error)) return true;
        if (!isRefusal(error)) throw error;
        refusal = error;
      }
    }
    const isForMove = step.kind === 'update-listener' || (step.kind === 'deregister-targets' && isMoved(port, waiting));
    const singly = isForMove ? [] : oneByOne(step, refusal);
    waiting.unshift(...singly);
    if (singly.length > 0) continue;
    refused.set(text, refusal);
    if (step.kind === 'create') return hasChanged;
    if (port === undefined) continue;
    const attribute = isForMove ? 'update-listener' : step.kind;
    if (isAttribute(attribute)) {
      attributes.add(attributeOf(attribute, { loadBalancerPort: port }));
      isWithout = true;
    }
    const isAboutTargets = step.kind === 'register-targets' || step.kind === 'deregister-targets';
    if (isForMove || !isAboutTargets) stopped.add(port);
  }
  return isWithout;
}

/** Whether a port is going to be changed: servers are taken off it all together or not at all. */
function isMoved(port: number | undefined, steps: readonly Step[]): boolean {
  return steps.some((one) => one.kind === 'update-listener' && one.ports.loadBalancerPort === port);
}

function isAttribute(kind: Step['kind']): kind is AttributeKind {
  return kind === 'update-listener' || kind === 'set-filter' || kind === 'configure-health-check';
}

/** The cloud's answer to this very call, as opposed to a state of affairs in which no call would succeed. */
export function isRefusal(error: unknown): error is NifcloudError {
  const isGeneral = [isThrottled, isAuthFailure, isMaintenance, isInternalError].some((is) => is(error));
  return error instanceof NifcloudError && error.outcome === 'refused' && !isGeneral;
}

/** A step for each server, when the cloud refused several because of one; else none. */
function oneByOne(step: Step, error: NifcloudError): readonly Step[] {
  if (!namesServer(error) || !('serverNames' in step) || step.serverNames.length < 2) return [];
  return step.serverNames.map((serverName) => ({ ...step, serverNames: [serverName] }));
}

/** Whether the cloud objects to a server, which may be one of several in the call. */
export function namesServer(error: NifcloudError): boolean {
  // Client.InvalidParameterNotFound.Instance, ….HavingRegisteredInstance, Server.ResourceIncorrectState.Instance.Processing
  return /Instance(\.|$)/.test(error.code);
}

/** @returns the address of what was made */
async function send(calls: L4Calls, name: string, step: Call, signal: AbortSignal): Promise<string | undefined> {
  if (step.kind !== 'create') {
    await change(calls, name, step, signal);
    return undefined;
  }
  const { kind: _, ...wanted } = step;
  return (await calls.create({ name, ...wanted }, signal)).vip;
}

async function change(
  calls: L4Calls,
  name: string,
  step: Exclude<Call, { kind: 'create' }>,
  signal: AbortSignal,
): Promise<void> {
  switch (step.kind) {
    case 'register-port':
      return await calls.registerPort({ name, listener: step.listener }, signal);
    case 'update-listener':
      return await calls.updateListener({ name, ...step.ports }, step.change, signal);
    case 'set-filter':
      return await calls.setFilter({ name, ...step.ports }, step, signal);
    case 'configure-health-check':
      return await calls.configureHealthCheck({ name, ...step.ports }, step.healthCheck, signal);
    case 'register-targets':
      return await calls.registerTargets({ name, ...step.ports }, step.serverNames, signal);
    case 'deregister-targets':
      return await calls.deregisterTargets({ name, ...step.ports }, step.serverNames, signal);
    case 'set-options':
      return await calls.setOptions({ name, ...step.ports }, step.change, signal);
    case 'set-certificate':
      return await calls.setCertificate({ name, ...step.ports }, step.certificateId, signal);
    case 'update':
      return await calls.update(name, step.change, signal);
    case 'delete-listener':
      return await calls.deleteListener({ name, ...step.ports }, signal);
  }
}
