import type { Parameters, XmlFields } from './wire.ts';
import type { Transition, TransitionKind } from '../world/transition.ts';
import type { World } from '../world/world.ts';

/** One call of an action: all that its outcome depends on. */
export interface Call {
  readonly world: World;
  readonly parameters: Parameters;
  readonly nowMs: number;
  /** A transition that starts now. */
  readonly transition: <K extends TransitionKind>(kind: K) => Transition & { readonly kind: K };
  /** From 0 up to 1. */
  readonly random: () => number;
}

/**
 * What an action does: it reads its parameters, changes the world and answers, all at once (no await), so calls can not
 * interleave. It throws before it changes anything. `undefined`: an answer without a result.
 * @throws Refusal
 */
export type Handler = (call: Call) => XmlFields | undefined;
