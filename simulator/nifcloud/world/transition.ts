import { parseDurationMs, UsageError } from '../../../daemon/flags.ts';

/**
 * What a thing of the world may be in the middle of: the kinds whose duration `--transition` can set.
 *
 * Of disks: create, attach, detach, extend, delete. `elastic-create` and `elastic-change`: an elastic load balancer is `pending`
 * or `processing`. `firewall`: a firewall group is `processing`. `power`: a server starts, stops or reboots. `router`: a router is
 * `pending`.
 */
const TRANSITION_KINDS = [
  'create',
  'attach',
  'detach',
  'extend',
  'delete',
  'elastic-create',
  'elastic-change',
  'firewall',
  'power',
  'router',
] as const;
export type TransitionKind = (typeof TRANSITION_KINDS)[number];

/** Plain data, so that it survives a restart; what happens at its end is in `transitions.ts`. */
export interface Transition {
  readonly kind: TransitionKind;
  readonly endsAtMs: number;
  /** The fault that keeps it from ending as long as it is there (simulator/README.md, Faults). */
  readonly heldBy?: number;
}

/** How long each kind of transition takes: drawn anew each time from this span, in ms. */
export type TransitionTimes = Readonly<Record<TransitionKind, { readonly minMs: number; readonly maxMs: number }>>;

/** The default of `--transition`: about what clients of the real cloud poll for (docs/reference/nifcloud-api.md §3.4). */
export const DEFAULT_TRANSITION = '3s';

/**
 * The notation of `--transition`: `3s` for all kinds, `2s..5s` for a draw, `attach=2s` for one kind, or several of these.
 * @throws UsageError with what is allowed
 */
export function parseTransitionTimes(text: string): TransitionTimes {
  const times = new Map<TransitionKind, { minMs: number; maxMs: number }>();
  for (const item of [DEFAULT_TRANSITION, ...text.split(',')]) {
    const [, kind, min = '', max = min] = /^(?:([a-z-]+)=)?([0-9a-z.]+?)(?:\.\.([0-9a-z.]+))?$/.exec(item) ?? [];
    const kinds = kind === undefined ? TRANSITION_KINDS : TRANSITION_KINDS.filter((one) => one === kind);
    const [minMs, maxMs] = [parseDurationMs(min), parseDurationMs(max)];
    if (kinds.length === 0 || minMs === undefined || maxMs === undefined || maxMs < minMs) {
      throw new UsageError(`3s, 2s..5s or KIND=3s with a KIND of ${TRANSITION_KINDS.join(', ')}, separated by commas`);
    }
    for (const one of kinds) times.set(one, { minMs, maxMs });
  }
  return Object.fromEntries(times) as TransitionTimes;
}
