import type { Answer } from './answer.ts';
import { FAULT_KINDS } from './fault.ts';
import type { Fault, FaultKind } from './fault.ts';
import { errorBody } from './wire.ts';

/** Whether the action is carried out in spite of the fault. */
export function takesEffect({ kind, when = 'before' }: Fault): boolean {
  const { effect } = FAULT_KINDS[kind];
  return effect === 'when' ? when === 'after' : effect === 'yes';
}

/** What an answer to a struck call is made of. */
interface Facts {
  /** The answer without the fault; of an action that was not carried out it has no body. */
  readonly honest: Answer;
  readonly requestId: string;
  /** Of the cloud's own error with a code. */
  readonly statusOf: (code: string) => number;
}

/** What a call that a fault has struck is answered with. */
export function struckAnswer(fault: Fault, facts: Facts): Answer {
  return { ...facts.honest, ...CHANGES[fault.kind](fault, facts) };
}

/** What each kind changes about the honest answer. */
const CHANGES: Readonly<Record<FaultKind, (fault: Fault, facts: Facts) => Partial<Answer>>> = {
  'drop-before': () => ({ mishap: 'lost' }),
  'drop-after': () => ({ mishap: 'lost' }),
  hang: () => ({ mishap: 'never' }),
  slow: () => ({}),
  refuse: ({ code = '', status }, { requestId, statusOf }) => ({
    status: status ?? statusOf(code),
    body: injectedError(code, requestId),
  }),
  throttle: ({ code, status = 429 }, { requestId }) => ({
    status,
    body: code === undefined ? '' : injectedError(code, requestId),
  }),
  'gateway-error': ({ status = 502 }) => ({
    status,
    type: 'text/html',
    body: `<html><body><h1>${status}</h1><hr>A gateway of the cloud</body></html>`,
  }),
  malformed: () => ({ body: 'upstream sent <invalid> & unexpected data' }),
  truncated: (_, { honest: { body } }) => ({ body: body.slice(0, body.length / 2) }),
  'cut-off': () => ({ mishap: 'cut-off' }),
  'empty-integers': (_, { honest: { body } }) => ({ body: body.replaceAll(/>\d+<\//g, '></') }),
  'slow-transition': () => ({}),
};

function injectedError(code: string, requestId: string): string {
  return errorBody(code, 'a fault that the simulator was asked for', requestId);
}
