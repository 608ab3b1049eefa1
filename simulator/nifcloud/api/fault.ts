import { UsageError } from '../../../daemon/flags.ts';
import { ACTIONS } from '../actions/actions.ts';

/**
 * What can be made to go wrong with a call: whether the action takes effect (`when`: as the fault's `when` says), the keys that
 * the kind takes besides those of every fault, and what the client sees.
 */
export const FAULT_KINDS = {
  'drop-before': { effect: 'no', takes: [], what: 'the connection is closed without an answer' },
  'drop-after': { effect: 'yes', takes: [], what: 'the connection is closed without an answer' },
  hang: { effect: 'when', takes: ['when'], what: 'no answer, until the client or the simulator closes the connection' },
  slow: { effect: 'yes', takes: ['when', 'delayMs'], what: 'the call takes longer, before or after the effect' },
  refuse: {
    effect: 'no',
    takes: ['code', 'status'],
    what: "an error with this code; status: as of the cloud's own errors",
  },
  throttle: {
    effect: 'no',
    takes: ['code', 'status'],
    what: 'status 429, or 509; an empty body, or an error with this code',
  },
  'gateway-error': { effect: 'when', takes: ['when', 'status'], what: 'status 502, or 503 or 504; a page of HTML' },
  malformed: { effect: 'yes', takes: [], what: 'a body that is no XML' },
  truncated: { effect: 'yes', takes: [], what: 'the first half of the body, as if it were all' },
  'cut-off': { effect: 'yes', takes: [], what: 'the first half of the body, then the connection is closed' },
  'empty-integers': { effect: 'yes', takes: [], what: 'every element that holds a whole number is empty' },
  'slow-transition': {
    effect: 'yes',
    takes: ['delayMs'],
    what: 'the transition that the call starts takes longer; without delayMs until the fault is removed',
  },
} as const satisfies Readonly<
  Record<string, { readonly effect: 'no' | 'yes' | 'when'; readonly takes: readonly OwnKey[]; readonly what: string }>
>;

export type FaultKind = keyof typeof FAULT_KINDS;
type OwnKey = 'when' | 'delayMs' | 'code' | 'status';

/** A fault as it is asked for (simulator/README.md, Faults). */
export interface Fault {
  readonly kind: FaultKind;
  /** An action, the beginning of its name with a `*`, or `*`, which is the default. */
  readonly action?: string;
  /** Only calls in which all of these parameters have these values. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** How many calls that fit are let through first. Default 0. */
  readonly skip?: number;
  /** How many calls it strikes. Default: no limit. */
  readonly count?: number;
  /** With what chance it strikes a call, above 0 up to 1. Default 1. */
  readonly probability?: number;
  /** The same seed strikes the same calls of a sequence. Default 1. */
  readonly seed?: number;
  /** Default `before`. */
  readonly when?: 'before' | 'after';
  readonly delayMs?: number;
  readonly code?: string;
  readonly status?: number;
}

/** Whether `pattern`, which may end with a `*`, stands for the action. */
export function isNamed(pattern: string, action: string): boolean {
  return pattern.endsWith('*') ? action.startsWith(pattern.slice(0, -1)) : action === pattern;
}

interface Rule {
  readonly allowed: string;
  readonly fits: (value: unknown) => boolean;
}

const WHOLE: Rule = {
  allowed: 'a whole number from 0',
  fits: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
};

const COMMON: Readonly<Record<Exclude<keyof Fault, OwnKey>, Rule>> = {
  kind: {
    allowed: Object.keys(FAULT_KINDS).join(', '),
    fits: (value) => typeof value === 'string' && Object.hasOwn(FAULT_KINDS, value),
  },
  action: {
    allowed: `*, or the beginning of one and a *, or one of ${[...ACTIONS.keys()].join(', ')}`,
    fits: (value) => typeof value === 'string' && [...ACTIONS.keys()].some((name) => isNamed(value, name)),
  },
  parameters: {
    allowed: 'texts by the names of parameters',
    fits: (value) =>
      typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string'),
  },
  skip: WHOLE,
  count: { allowed: 'a whole number from 1', fits: (value) => WHOLE.fits(value) && value !== 0 },
  probability: {
    allowed: 'a number above 0 up to 1',
    fits: (value) => typeof value === 'number' && value > 0 && value <= 1,
  },
  seed: WHOLE,
};

const OWN: Readonly<Record<OwnKey, Rule>> = {
  when: oneOf('before', 'after'),
  delayMs: WHOLE,
  code: {
    allowed: 'a code such as Server.InternalError',
    fits: (value) => typeof value === 'string' && /^[A-Za-z]+(\.[A-Za-z]+)*$/.test(value),
  },
  status: {
    allowed: 'a whole number from 400 to 599',
    fits: (value) => Number.isInteger(value) && Number(value) >= 400 && Number(value) <= 599,
  },
};

const STATUS_OF: Readonly<Partial<Record<FaultKind, Rule>>> = {
  throttle: oneOf(429, 509),
  'gateway-error': oneOf(502, 503, 504),
};

/** Keys without which a kind says nothing. */
const REQUIRED: Readonly<Partial<Record<FaultKind, OwnKey>>> = { refuse: 'code', slow: 'delayMs' };

function oneOf(...values: readonly unknown[]): Rule {
  return { allowed: values.join(', '), fits: (value) => values.includes(value) };
}

/**
 * A copy of a fault, each key of which has been checked, also against what its type says: it may come from outside.
 * @throws UsageError naming the key, the value and what is allowed
 */
export function checkedFault(fault: Fault): Fault {
  if (typeof fault !== 'object' || fault === null || Array.isArray(fault)) {
    throw new UsageError(`${JSON.stringify(fault)} is no fault; allowed: an object such as {"kind":"drop-after"}`);
  }
  demand('kind', fault.kind, COMMON.kind);
  const { takes } = FAULT_KINDS[fault.kind];
  const rules: Readonly<Record<string, Rule>> = {
    ...COMMON,
    ...Object.fromEntries(takes.map((key) => [key, (key === 'status' && STATUS_OF[fault.kind]) || OWN[key]])),
  };
  for (const [key, value] of Object.entries(fault)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) {
      throw new UsageError(`${key} is no key of ${fault.kind}; allowed: ${Object.keys(rules).join(', ')}`);
    }
    demand(key, value, rule);
  }
  const missing = REQUIRED[fault.kind];
  if (missing !== undefined) demand(missing, fault[missing], OWN[missing]);
  return structuredClone(fault);
}

function demand(key: string, value: unknown, rule: Rule): void {
  if (!rule.fits(value))
    throw new UsageError(`${key}=${JSON.stringify(value)} is not allowed; allowed: ${rule.allowed}`);
}
