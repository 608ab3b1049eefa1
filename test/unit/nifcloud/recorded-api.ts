import { sentParameters, type Parameters } from '../../../nifcloud/parameters.ts';
import type { Api } from '../../../nifcloud/transport.ts';
import { FakeClock } from '../../fake-clock.ts';
import { readAnswer, type XmlElement } from '../../../nifcloud/xml.ts';

/** An Api that answers each action by a function of its parameters, and remembers what was sent. */
export class RecordedApi implements Api {
  readonly calls: {
    readonly kind: 'read' | 'mutate';
    readonly action: string;
    readonly sent: Record<string, string>;
  }[] = [];
  readonly #answer: (action: string, sent: Record<string, string>) => string | Promise<string>;

  /** @param answer gives the content of the root element, or throws what the call throws */
  constructor(answer: (action: string, sent: Record<string, string>) => string | Promise<string> = () => '') {
    this.#answer = answer;
  }

  read<T>(
    action: string,
    parameters: Parameters,
    parse: (answer: XmlElement) => T,
    _signal: AbortSignal,
    unread: readonly string[] = [],
  ): Promise<T> {
    return this.#call('read', action, parameters, parse, unread);
  }

  mutate<T>(action: string, parameters: Parameters, parse: (answer: XmlElement) => T): Promise<T> {
    return this.#call('mutate', action, parameters, parse);
  }

  async #call<T>(
    kind: 'read' | 'mutate',
    action: string,
    parameters: Parameters,
    parse: (answer: XmlElement) => T,
    unread: readonly string[] = [],
  ): Promise<T> {
    const sent = sentParameters(parameters);
    this.calls.push({ kind, action, sent });
    const content = await this.#answer(action, sent);
    const body = Buffer.from(`<${action}Response>${content}</${action}Response>`);
    return parse(await readAnswer([body], `${action}Response`, { unread }));
  }
}

/** A promise's error; fails the test if there is none. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** What a shared listing makes of an answer. @param content of the root element */
export async function listed<T>(content: string, list: (api: Api, clock: FakeClock) => Promise<T>): Promise<T> {
  const clock = new FakeClock();
  const listing = list(new RecordedApi(() => content), clock);
  listing.catch(() => {});
  await clock.advance(5);
  return listing;
}
