import type { Nifcloud } from '../../../nifcloud/nifcloud.ts';
import type { Simulator } from '../../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../../simulator/nifcloud/world/fleet.ts';
import { FakeClock } from '../../fake-clock.ts';
import { RawClient, startCloud, type Answer, type Form } from '../../unit/simulator/nifcloud/raw-client.ts';
import { FLEET, type Parameters, type Row } from './row.ts';
import { requestParameters } from './sheet.ts';
import { clientOf } from '../cloud-client.ts';

const TRANSITION_MS = 3_000;

/** Things by kind and name: `volumes.disk1`. */
type World = ReadonlyMap<string, unknown>;

/** The cloud of a row, with the raw client and ours. Its time moves in `settle` alone: what was begun stays under way until then. */
export class ContractCloud {
  readonly simulator: Simulator;
  readonly #clock: FakeClock;
  readonly #raw: RawClient;
  readonly client: Nifcloud;

  private constructor(simulator: Simulator, clock: FakeClock, raw: RawClient, keys: Row['keys']) {
    this.simulator = simulator;
    this.#clock = clock;
    this.#raw = raw;
    this.client = clientOf(simulator, keys);
  }

  /** In the state that the row begins with. */
  static async at(row: Row): Promise<ContractCloud> {
    const clock = new FakeClock();
    const { simulator, client } = await startCloud({
      clock,
      fleet: parseFleet(JSON.stringify({ ...FLEET, ...row.fleet }), 'the fleet of the row'),
      transition: `${TRANSITION_MS}ms`,
    });
    const raw = row.keys === undefined ? client : new RawClient(simulator.url, row.keys);
    const cloud = new ContractCloud(simulator, clock, raw, row.keys);
    for (const [action, parameters] of row.given ?? []) {
      await client.done(action, cloud.sent(parameters));
      await cloud.settle();
    }
    for (const [action, parameters] of row.underway ?? []) await client.done(action, cloud.sent(parameters));
    if (row.fault !== undefined) simulator.faults.add(row.fault);
    return cloud;
  }

  call(action: string, parameters: Parameters, form: Form = {}): Promise<Answer> {
    return this.#raw.call(action, this.sent(parameters), form);
  }

  /** All that was begun comes to its end. */
  settle(): Promise<void> {
    return this.#clock.advance(TRANSITION_MS);
  }

  /** What there is, without what changes by itself: health, and the places where listeners listen. */
  world(): World {
    const volatile = new Set(['listensAt', 'hostRoot']);
    const still = JSON.stringify(this.simulator.state(), (key, value: unknown) =>
      volatile.has(key) || (key === 'state' && (value === 'InService' || value === 'OutOfService')) ? undefined : value,
    );
    const { region: _, zones: __, ...kinds } = JSON.parse(still) as Record<string, { name?: string; id: string }[]>;
    return new Map(
      Object.entries(kinds).flatMap(([kind, things]) =>
        things.map((thing) => [`${kind}.${thing.name ?? thing.id}`, thing] as const),
      ),
    );
  }

  associationOf(name: string): string {
    const { routers, elasticLoadBalancers } = this.simulator.state();
    const found = [...routers, ...elasticLoadBalancers].find((one) => one.name === name);
    if (found === undefined) throw new Error(`the table names ${name}, which does not exist`);
    return found.routeTableAssociationId;
  }

  /** As a row's parameters stand on the wire. */
  sent(parameters: Parameters): Record<string, string> {
    return Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => {
        const text = String(value);
        return [name, text.startsWith('$') ? this.associationOf(text.slice(1)) : text];
      }),
    );
  }
}

/** A way to send the same call. */
export interface SendingForm {
  readonly form: Form;
  /** Sent besides; they must not matter. */
  readonly besides?: (action: string, parameters: Parameters) => Parameters;
}

/** Which forms the cloud takes: docs/reference/nifcloud-api.md §1.1–§1.4. The first is what the SDKs send. */
export const FORMS: Readonly<Record<string, SendingForm>> = {
  'POST, HmacSHA256': { form: {} },
  GET: { form: { method: 'GET' } },
  HmacSHA1: { form: { signatureMethod: 'HmacSHA1' } },
  'without Version': { form: { withoutVersion: true } },
  'without Timestamp': { form: { timestamp: '' } },
  'Timestamp with milliseconds': { form: { timestamp: '2025-01-02T03:04:05.678Z' } },
  'content type with charset': { form: { contentType: 'application/x-www-form-urlencoded;charset=UTF-8' } },
  'keys again with other values': {
    form: { tamper: (form) => `${form}&${form.replaceAll(/=[^&]*/g, '=other')}` },
  },
  'another order': { form: { tamper: (form) => form.split('&').toReversed().join('&') } },
  '+ for blanks': { form: { tamper: (form) => form.replaceAll('%20', '+') } },
  'GET with + for blanks': { form: { method: 'GET', tamper: (form) => form.replaceAll('%20', '+') } },
  'empty values': { form: {}, besides: emptyValues },
};

/** Every parameter of the sheet that the call has not: unset texts by their names, lists by their prefix too. */
function emptyValues(action: string, parameters: Parameters): Parameters {
  const empty: Record<string, string> = {};
  for (const { name } of requestParameters(action)) {
    empty[name.replaceAll(/\bN\b/g, '1')] = '';
    if (name.endsWith('.N')) empty[name.slice(0, -2)] = '';
  }
  return { ...empty, ...parameters };
}
