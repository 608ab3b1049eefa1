import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import { ACTIONS } from '../actions/actions.ts';
import type { Action } from '../actions/actions.ts';
import type { Switches } from '../world/switches.ts';
import type { Answer } from './answer.ts';
import { requireOwnHost } from './api-host.ts';
import type { CallLog } from './call-log.ts';
import type { Fault } from './fault.ts';
import type { Faults } from './faults.ts';
import { httpStatusOf, Refusal } from './refusal.ts';
import { authenticate, AUTHENTICATION_PARAMETERS } from './signature.ts';
import type { Credentials } from './signature.ts';
import { struckAnswer, takesEffect } from './struck-answer.ts';
import { errorBody, illegal, Parameters, successBody } from './wire.ts';
import type { XmlFields } from './wire.ts';

/** What calls are answered with, by and for. */
export interface CallSurroundings {
  readonly region: string;
  readonly switches: Switches;
  /** The keys that are accepted at this moment. */
  readonly credentials: () => readonly Credentials[];
  /** How long a call waits before it is evaluated. */
  readonly latencyMs: number;
  readonly clock: Clock;
  readonly calls: CallLog;
  readonly faults: Faults;
  readonly logger: Logger;
  /** Ends the waiting of calls. */
  readonly signal: AbortSignal;
  /** Does what the action does; `slowed` is what a fault does to the transitions that it starts. @throws Refusal */
  readonly perform: (action: Action, parameters: Parameters, slowed: Slowed | undefined) => XmlFields | undefined;
  /** Lets what runs beside the world follow a change; the answer waits for it. */
  readonly followWorld: () => Promise<void>;
}

/** A fault of the kind `slow-transition`. */
export interface Slowed {
  readonly id: number;
  /** Default: until the fault is removed. */
  readonly delayMs?: number;
}

/** One request of the API, with its form decoded. */
export interface CallRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly form: URLSearchParams;
}

/** Answers one call. Latency first, then everything at once; a change is answered when what runs beside the world has followed. */
export async function answerCall(request: CallRequest, surroundings: CallSurroundings): Promise<Answer> {
  const { clock, calls, faults, latencyMs, signal, logger, switches } = surroundings;
  const time = new Date(clock.now()).toISOString();
  const startedMs = clock.monotonicMs();
  if (latencyMs > 0) await clock.sleep(latencyMs, signal);
  // Of a key that was sent twice the first value counts.
  const sent = new Map([...request.form].toReversed());
  const own = [...sent].filter(([key]) => !AUTHENTICATION_PARAMETERS.has(key));
  const parameters = new Parameters(own);
  const requestId = randomUUID();
  const name = parameters.text('Action') ?? '';
  const action = ACTIONS.get(name);
  const mutating = action?.mutating ?? false;

  const fault = faults.strike({ action: name, mutating, parameters: sent });
  if (delays(fault, 'before')) await clock.sleep(fault.delayMs, signal);
  const { outcome, body } =
    fault === undefined || takesEffect(fault)
      ? await evaluate({ name, action, sent, parameters, requestId, fault }, request, surroundings)
      : { outcome: (fault.kind === 'refuse' ? fault.code : undefined) ?? 'not evaluated', body: '' };
  if (delays(fault, 'after')) await clock.sleep(fault.delayMs, signal);

  const ignored = outcome === 'ok' ? parameters.unasked() : [];
  if (ignored.length > 0) logger.warn('Call has parameters that the action does not know', { action: name, ignored });
  calls.add({
    time,
    action: name,
    parameters: Object.fromEntries(own.filter(([key]) => key !== 'Action' && key !== 'Version')),
    outcome,
    ...(fault === undefined ? {} : { fault: fault.kind }),
    tookMs: Math.round(clock.monotonicMs() - startedMs),
    mutating,
    ...(ignored.length === 0 ? {} : { ignoredParameters: ignored }),
  });
  const statusOf = (code: string): number => httpStatusOf(code, switches);
  const honest: Answer = { status: outcome === 'ok' ? 200 : statusOf(outcome), type: 'text/xml; charset=UTF-8', body };
  return fault === undefined ? honest : struckAnswer(fault, { honest, requestId, statusOf });
}

/** A call that is about to take effect. */
interface ReadCall {
  readonly name: string;
  /** `undefined` = the simulator does not know it. */
  readonly action: Action | undefined;
  readonly sent: ReadonlyMap<string, string>;
  readonly parameters: Parameters;
  readonly requestId: string;
  readonly fault: (Fault & { readonly id: number }) | undefined;
}

async function evaluate(
  { name, action, sent, parameters, requestId, fault }: ReadCall,
  request: CallRequest,
  { region, switches, credentials, clock, logger, perform, followWorld }: CallSurroundings,
): Promise<{ readonly outcome: string; readonly body: string }> {
  try {
    requireOwnHost(request.host, region);
    authenticate(
      { ...request, parameters: sent },
      credentials(),
      switches.timestamp === 'check' ? clock.now() : undefined,
    );
    parameters.text('Version');
    if (action === undefined) throw illegal('Action', `${name || 'nothing'} is not an action that the simulator knows`);
    const fields = perform(action, parameters, fault?.kind === 'slow-transition' ? fault : undefined);
    if (action.mutating) await followWorld();
    return { outcome: 'ok', body: successBody(name, action.style, fields, requestId) };
  } catch (error) {
    const { code, message } = error instanceof Refusal ? error : breakdown(error, logger);
    return { outcome: code, body: errorBody(code, message, requestId) };
  }
}

function delays(fault: Fault | undefined, when: Fault['when']): fault is Fault & { readonly delayMs: number } {
  return fault?.kind === 'slow' && (fault.when ?? 'before') === when;
}

function breakdown(error: unknown, logger: Logger): Refusal {
  logger.error('The simulator failed', error);
  return new Refusal('Server.InternalError', 'the simulator failed; its log says why');
}
