import { systemClock } from '../../daemon/clock.ts';
import { Nifcloud } from '../../nifcloud/nifcloud.ts';
import type { Credentials } from '../../nifcloud/sign.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';

/** Our client at a simulator, quick to look again. */
export function clientOf(
  { url, credentials }: Pick<Simulator, 'url' | 'credentials'>,
  keys: Credentials = credentials,
): Nifcloud {
  return new Nifcloud({
    region: 'jp-east-1',
    endpoint: new URL(url).origin,
    credentials: () => keys,
    userAgent: 'test',
    clock: systemClock,
    logger: { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} },
    pollIntervalMs: 5,
    qps: 1_000,
  });
}

/** Every method of every resource of the client. */
export function clientMethods(): readonly { readonly resource: string; readonly method: string }[] {
  const client = clientOf({ url: 'http://127.0.0.1/', credentials: { accessKeyId: '', secretAccessKey: '' } });
  return Object.entries(client)
    .filter(([, value]) => typeof value === 'object')
    .flatMap(([resource, value]) =>
      Object.getOwnPropertyNames(Object.getPrototypeOf(value))
        .filter((method) => method !== 'constructor')
        .map((method) => ({ resource, method })),
    );
}
