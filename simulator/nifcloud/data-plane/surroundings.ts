import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import type { World } from '../world/world.ts';

/** What the data plane works with. */
export interface Surroundings {
  readonly world: World;
  readonly clock: Clock;
  /** Divides the intervals of health checks, the periods of stickiness and the life of idle UDP sessions. */
  readonly timeScale: number;
  readonly logger: Logger;
}
