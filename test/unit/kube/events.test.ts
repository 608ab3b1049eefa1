import { expect } from 'chai';
import { KubeConnectionError, KubeError } from '../../../kube/errors.ts';
import { EventRecorder } from '../../../kube/events.ts';
import type { Event, KubeObject } from '../../../kube/types.ts';
import { FakeClock } from '../../fake-clock.ts';
import { memoryLogger } from './api-server.ts';

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name: 'web', uid: 'u1', resourceVersion: '7' },
};
const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'u2' } };

/** An API server's events, by path. */
class EventStore {
  readonly events = new Map<string, Event>();
  requests = 0;
  failure: Error | undefined;
  losesAnswers = false;

  create<T>(path: string, body: unknown): Promise<T> {
    const event = body as Event;
    return this.#answer(() => {
      const at = `${path}/${event.metadata.name}`;
      if (this.events.has(at)) throw new KubeError({ code: 409, reason: 'AlreadyExists' });
      this.events.set(at, event);
      return event as T;
    });
  }

  patch<T>(path: string, patch: unknown): Promise<T> {
    return this.#answer(() => {
      const event = this.events.get(path);
      if (event === undefined) throw new KubeError({ code: 404, reason: 'NotFound' });
      this.events.set(path, { ...event, ...(patch as Partial<Event>) });
      return event as T;
    });
  }

  /** `<message> ×<count>` of each. */
  get summary(): readonly string[] {
    return [...this.events.values()].map((event) => `${event.message} ×${event.count}`);
  }

  async #answer<T>(act: () => T): Promise<T> {
    this.requests += 1;
    if (this.failure !== undefined) throw this.failure;
    const answer = act();
    if (this.losesAnswers) throw new KubeConnectionError('reset', 'ECONNRESET');
    return answer;
  }
}

describe('EventRecorder', () => {
  let clock: FakeClock;
  let api: EventStore;
  let logger: ReturnType<typeof memoryLogger>;
  let abort: AbortController;
  let recorder: EventRecorder;

  const unreachable = new KubeConnectionError('refused', 'ECONNREFUSED');

  beforeEach(() => {
    clock = new FakeClock(Date.UTC(2026, 10, 21, 8, 16, 0, 250));
    api = new EventStore();
    logger = memoryLogger();
    abort = new AbortController();
    recorder = newRecorder();
  });

  const newRecorder = (): EventRecorder =>
    new EventRecorder({
      client: api,
      component: 'service-controller',
      logger,
      clock,
      signal: abort.signal,
      random: () => 0.5,
    });

  it('delivers an event that comes at any moment of the delivery of another', async () => {
    for (let turns = 0; turns < 20; turns += 1) {
      api.events.clear();
      recorder = newRecorder();
      recorder.event(service, 'Normal', 'First', 'first');
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      recorder.event(node, 'Normal', 'Second', 'second');
      await clock.advance(0);
      expect(api.summary, `after ${turns} turns`).to.deep.equal(['first ×1', 'second ×1']);
    }
  });

  it('writes a core/v1 Event beside its object', async () => {
    recorder.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
    await recorder.flush();
    const name = `web.${(BigInt(clock.now()) * 1_000_000n).toString(16)}`;
    expect([...api.events]).to.deep.equal([
      [
        `/api/v1/namespaces/ns/events/${name}`,
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name, namespace: 'ns' },
          involvedObject: {
            apiVersion: 'v1',
            kind: 'Service',
            namespace: 'ns',
            name: 'web',
            uid: 'u1',
            resourceVersion: '7',
          },
          reason: 'EnsuredLoadBalancer',
          message: 'Ensured load balancer',
          type: 'Normal',
          source: { component: 'service-controller' },
          reportingComponent: 'service-controller',
          count: 1,
          firstTimestamp: '2026-11-21T08:16:00Z',
          lastTimestamp: '2026-11-21T08:16:00Z',
        },
      ],
    ]);
  });

  it('puts events of cluster-scoped objects into the default namespace', async () => {
    recorder.event(node, 'Normal', 'Synced', 'Node synced successfully');
    await recorder.flush();
    const [event] = api.events.values();
    expect(event?.metadata.namespace).to.equal('default');
    expect(event?.involvedObject).not.to.have.property('namespace');
  });

  it('gives a name of its own to an event whose object has none that fits', async () => {
    for (const name of ['system:node', 'x'.repeat(250)])
      recorder.event({ ...node, metadata: { name } }, 'Normal', 'R', 'm');
    await recorder.flush();
    const names = [...api.events.values()].map((event) => event.metadata.name);
    expect(new Set(names).size).to.equal(2);
    for (const name of names) expect(name).to.match(/^[0-9a-f]+\.[0-9a-f]+$/);
  });

  it('counts a repetition instead of writing it again', async () => {
    recorder.event(service, 'Warning', 'Failed', 'no');
    await clock.advance(60_000);
    recorder.event(service, 'Warning', 'Failed', 'no');
    recorder.event(service, 'Warning', 'Failed', 'no');
    await recorder.flush();
    const [event] = api.events.values();
    expect(api.events.size).to.equal(1);
    expect(event).to.include({
      count: 3,
      firstTimestamp: '2026-11-21T08:16:00Z',
      lastTimestamp: '2026-11-21T08:17:00Z',
    });
  });

  it('writes again what has expired meanwhile, with its count', async () => {
    recorder.event(service, 'Warning', 'Failed', 'no');
    await recorder.flush();
    api.events.clear();
    recorder.event(service, 'Warning', 'Failed', 'no');
    await recorder.flush();
    expect(api.summary).to.deep.equal(['no ×2']);
  });

  it('keeps apart what differs in object, type, reason or message', async () => {
    recorder.event(service, 'Warning', 'Failed', 'no');
    recorder.event({ ...service, metadata: { ...service.metadata, uid: 'u3' } }, 'Warning', 'Failed', 'no');
    recorder.event(service, 'Normal', 'Failed', 'no');
    recorder.event(service, 'Warning', 'FailedToo', 'no');
    recorder.event(service, 'Warning', 'Failed', 'never');
    await recorder.flush();
    expect(api.summary).to.deep.equal(['no ×1', 'no ×1', 'no ×1', 'no ×1', 'never ×1']);
  });

  it('combines events that differ in their message only, from the tenth on', async () => {
    for (let i = 1; i <= 12; i += 1) recorder.event(service, 'Warning', 'Failed', `request ${i}`);
    await recorder.flush();
    expect(api.summary).to.deep.equal([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `request ${i} ×1`),
      '(combined from similar events): request 12 ×3',
    ]);
  });

  it('goes on counting by itself what was said before', async () => {
    for (let i = 1; i <= 10; i += 1) recorder.event(service, 'Warning', 'Failed', `request ${i}`);
    recorder.event(service, 'Warning', 'Failed', 'request 5');
    await recorder.flush();
    expect(api.summary).to.include('request 5 ×2');
  });

  it('does not combine them when ten minutes lie between', async () => {
    for (let i = 1; i <= 9; i += 1) recorder.event(service, 'Warning', 'Failed', `request ${i}`);
    await clock.advance(600_001);
    recorder.event(service, 'Warning', 'Failed', 'request 10');
    await recorder.flush();
    expect(api.summary.at(-1)).to.equal('request 10 ×1');
  });

  it('drops all but one in 300 s after 25 about one object, and only about that one', async () => {
    for (let i = 0; i < 40; i += 1) recorder.event(service, 'Warning', 'Failed', 'no');
    recorder.event(node, 'Normal', 'Synced', 'yes');
    await recorder.flush();
    expect(api.summary).to.deep.equal(['no ×25', 'yes ×1']);
    await clock.advance(300_000);
    recorder.event(service, 'Warning', 'Failed', 'no');
    recorder.event(service, 'Warning', 'Failed', 'no');
    await recorder.flush();
    // Those that were dropped count all the same.
    expect(api.summary).to.deep.equal(['no ×41', 'yes ×1']);
  });

  it('waits for an API server that cannot be reached: a random time, then 10 s each', async () => {
    api.failure = unreachable;
    recorder.event(service, 'Normal', 'Ensured', 'late');
    await clock.advance(4_999);
    expect(api.requests).to.equal(1);
    await clock.advance(1);
    expect(api.requests).to.equal(2);
    await clock.advance(9_999);
    expect(api.requests).to.equal(2);
    api.failure = undefined;
    await clock.advance(1);
    await recorder.flush();
    expect(api.summary).to.deep.equal(['late ×1']);
  });

  it('gives an event up after twelve tries, and goes on with the next', async () => {
    api.failure = unreachable;
    recorder.event(service, 'Normal', 'Ensured', 'lost');
    recorder.event(service, 'Normal', 'Ensured', 'kept');
    await clock.advance(109_999);
    expect(api.requests).to.equal(13);
    expect(logger.lines.map((line) => line.error)).to.deep.equal([unreachable]);
    api.failure = undefined;
    await clock.advance(10_000);
    await recorder.flush();
    expect(api.summary).to.deep.equal(['kept ×1']);
  });

  it('is content when a try whose answer was lost has made the event', async () => {
    api.losesAnswers = true;
    recorder.event(service, 'Normal', 'Ensured', 'made');
    await clock.advance(0);
    api.losesAnswers = false;
    await clock.advance(5_000);
    await recorder.flush();
    expect(api.summary).to.deep.equal(['made ×1']);
    expect(logger.lines).to.deep.equal([]);
  });

  it('an answer of the API server ends the tries', async () => {
    api.failure = new KubeError({ code: 403, reason: 'Forbidden' });
    recorder.event(service, 'Normal', 'Ensured', 'no');
    await recorder.flush();
    expect(api.requests).to.equal(1);
    expect(logger.lines.map((line) => line.error)).to.deep.equal([api.failure]);
  });

  it('never blocks: what comes on top of a thousand waiting events is dropped', async () => {
    api.failure = unreachable;
    for (let i = 0; i < 1_010; i += 1) {
      const metadata = { name: `n${i}`, uid: `u${i}` };
      recorder.event({ ...node, metadata }, 'Normal', 'Synced', 'yes');
    }
    expect(logger.lines.filter((line) => line.level === 'warn')).to.have.length(9); // one is being delivered
    api.failure = undefined;
    await clock.advance(10_000);
    await recorder.flush();
    expect(api.events.size).to.equal(1_001);
  });

  it('an abort ends delivery and leaves no timer', async () => {
    api.failure = unreachable;
    recorder.event(service, 'Normal', 'Ensured', 'a');
    recorder.event(service, 'Normal', 'Ensured', 'b');
    await clock.advance(1);
    abort.abort();
    await recorder.flush();
    expect(clock.sleeping).to.equal(0);
    const { requests } = api;
    recorder.event(service, 'Normal', 'Ensured', 'c');
    await recorder.flush();
    expect(api.requests).to.equal(requests);
    expect(logger.lines).to.deep.equal([]);
  });
});
