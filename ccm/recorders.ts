import type { Clock } from '../daemon/clock.ts';
import type { Logger } from '../daemon/logger.ts';
import { EventRecorder } from '../kube/events.ts';
import type { KubeClient } from '../kube/rest.ts';

/** How long events that are not delivered yet may hold up the end of the process, in ms. */
const GRACE_MS = 2_000;

/** The recorders of events of all parts of the program, whose last events are delivered before it ends. */
export class Recorders {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #delivery = new AbortController();
  readonly #recorders: EventRecorder[] = [];

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** @param component whom the events are from */
  recorder(component: string, client: KubeClient): EventRecorder {
    const [logger, clock, { signal }] = [this.#logger, this.#clock, this.#delivery];
    const recorder = new EventRecorder({ client, component, logger, clock, signal });
    this.#recorders.push(recorder);
    return recorder;
  }

  /** Resolves when nothing waits for delivery any more, or after 2 s. */
  async flush(): Promise<void> {
    void this.#clock.sleep(GRACE_MS).then(() => this.#delivery.abort());
    await Promise.all(this.#recorders.map((recorder) => recorder.flush()));
  }
}
