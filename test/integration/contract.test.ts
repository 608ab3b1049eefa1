import { expect } from 'chai';
import {
  isAlreadyAttached,
  isAuthFailure,
  isBusy,
  isDuplicate,
  isInternalError,
  isInUse,
  isMaintenance,
  isNotAttached,
  isNotFound,
  isProcessingFailure,
  isThrottled,
  isUnknownOutcome,
  NifcloudError,
} from '../../nifcloud/errors.ts';
import type { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { regionOfZone } from '../../nifcloud/regions.ts';
import { ACTIONS } from '../../simulator/nifcloud/actions/actions.ts';
import { CODES } from '../../simulator/nifcloud/api/refusal.ts';
import type { Answer } from '../unit/simulator/nifcloud/raw-client.ts';
import { clientMethods } from './cloud-client.ts';
import { COMMON } from './contract/common.ts';
import { ContractCloud, FORMS } from './contract/contract-cloud.ts';
import { ELASTIC } from './contract/elastic.ts';
import { FIREWALL } from './contract/firewall.ts';
import { L4 } from './contract/l4.ts';
import { REGIONS } from './contract/regions.ts';
import { ROUTES } from './contract/routes.ts';
import type { Changes, Facts, Row } from './contract/row.ts';
import { SERVERS } from './contract/servers.ts';
import { answerTree, catalogue, regions, requestParameters, type Element } from './contract/sheet.ts';
import { VOLUMES } from './contract/volumes.ts';

const TABLE: Readonly<Record<string, readonly Row[]>> = {
  'what all calls share': COMMON,
  servers: SERVERS,
  disks: VOLUMES,
  'L4 load balancers': L4,
  'elastic load balancers': ELASTIC,
  'firewall groups': FIREWALL,
  'route tables, routers, private LANs': ROUTES,
  'regions and zones': REGIONS,
};
const ROWS = Object.values(TABLE).flat();

const never = new AbortController().signal;

/** The names of forms but the first, in turn. */
const [PLAIN_FORM = '', ...OTHER_FORMS] = Object.keys(FORMS);

/** docs/reference/nifcloud-api.md §1.6: what a client can tell by the category of a code. */
const PREDICATES: readonly (readonly [codes: RegExp, predicate: (error: unknown, resource?: string) => boolean])[] = [
  [/^Client\.InvalidParameterNotFound\.(?<resource>[^.]+)/, isNotFound],
  [/^Client\.InvalidParameterDuplicate\.(?<resource>[^.]+)/, isDuplicate],
  [/^Client\.Inoperable\.(?<resource>\w+)\.(AlreadyExists|HavingRegisteredInstance)$/, isDuplicate],
  [/^Client\.Inoperable\.(?<resource>\w+)\.InUse$/, isInUse],
  [/^Client\.ResourceAssociated\.(?<resource>\w+)$/, isInUse],
  [/^Server\.Inoperable\.Volume\.AlreadyAttached$/, isAlreadyAttached],
  [/^Client\.Inoperable\.Volume\.DetachedFromInstance$/, isNotAttached],
  [/^Server\.ResourceIncorrectState\.\w+\.Processing$/, isBusy],
  [/^Server\.ProcessingFailure\./, isProcessingFailure],
  [/^Client\.AuthFailure/, isAuthFailure],
  [/^Server\.InternalError$/, isInternalError],
  [/^Server\.Maintenance$/, isMaintenance],
  [/^never$/, isThrottled],
  [/^never$/, isUnknownOutcome],
];

/** Of the sheet's catalogue, and why no row can have it. */
const CODES_WITHOUT_ROW: Readonly<Record<string, string>> = {
  'Server.ResourceIncorrectState.IpAddress.Processing': 'elastic IP addresses are not served',
  'Client.Inoperable.Network.NoExistEnableDhcp': 'servers can not be created',
  'Client.InvalidParameterNotFound.NetworkInterfaceId': 'network interfaces are not described by themselves',
  'Client.InvalidParameterNotFound.Snapshot': 'snapshots of servers are not served',
  'Client.InvalidParameterNotFound.KeyPair': 'key pairs are not served',
  'Client.InvalidParameterNotFound.Image': 'images are not served',
};

/** Methods of the client that no row calls, and why. */
const METHODS_WITHOUT_ROW: Readonly<Record<string, string>> = {
  'servers.until': 'it sends what list sends',
  'volumes.until': 'it sends what list sends, with names',
  'elasticLoadBalancers.until': 'it sends what list sends',
  'firewallGroups.until': 'it sends what list sends',
};

/** Actions that nothing can refuse but a failure of the cloud. */
const NEVER_REFUSED: readonly string[] = ['CreateRouteTable'];

describe('the contract of the sheet, the simulator and the client', () => {
  let cloud: ContractCloud | undefined;
  afterEach(() => cloud?.simulator.stop());
  const at = async (row: Row): Promise<ContractCloud> => {
    await cloud?.simulator.stop();
    return (cloud = await ContractCloud.at(row));
  };

  for (const [family, rows] of Object.entries(TABLE)) {
    describe(family, () => {
      for (const [number, row] of rows.entries()) {
        const changes = row.refused === undefined && (ACTIONS.get(row.action)?.mutating ?? false);
        const reads = row.refused === undefined && !changes;
        const forms = reads ? OTHER_FORMS : [OTHER_FORMS[number % OTHER_FORMS.length] ?? ''];
        it(`${row.rule} [${row.action}]`, async () => {
          const begin = await at(row);
          await checkRaw(begin, row, PLAIN_FORM);
          for (const form of forms) await checkRaw(changes ? await at(row) : begin, row, form);
          if (row.typed !== undefined) await checkTyped(changes ? await at(row) : begin, row, row.typed);
        });
      }
    });
  }

  describe('parameters that the sheet lists', () => {
    for (const [action, row] of richestAccepted()) {
      const known = requestParameters(action);
      const missing = known.filter(({ required }) => required);
      const garbled = known.filter(({ type, values }) => type !== 'string' || values.length > 0);
      if (missing.length + garbled.length === 0) continue;
      it(`${action} insists on ${missing.length}, and reads ${garbled.length}`, async () => {
        const begin = await at(row);
        const before = begin.world();
        for (const { name } of missing) {
          const without = Object.entries(row.parameters).filter(([key]) => !given(row, name).includes(key));
          const answer = await begin.call(action, Object.fromEntries(without));
          expect(answer.code, `without ${name}`).to.match(/^Client\.InvalidParameterRequired\.\w/);
        }
        for (const { name } of garbled) {
          const [key = name.replaceAll(/\bN\b/g, '1')] = given(row, name);
          const answer = await begin.call(action, { ...row.parameters, [key]: 'garbage' });
          expect(answer.code, `${name} = garbage`).to.match(/^Client\.InvalidParameter(IllegalInput|Required)\.\w/);
        }
        expect(begin.world()).to.deep.equal(before);
      });
    }
  });

  describe('is complete', () => {
    it('in actions', () => {
      const [refused, accepted] = [true, false].map((is) =>
        ROWS.filter((row) => (row.refused !== undefined) === is).map(({ action }) => action),
      );
      const actions = [...ACTIONS.keys()];
      expect(actions.filter((action) => !accepted?.includes(action))).to.deep.equal([]);
      expect(actions.filter((action) => !refused?.includes(action))).to.deep.equal(NEVER_REFUSED);
    });

    it('in codes', () => {
      const sourced = Object.entries(CODES).filter(([, [evidence]]) => evidence !== 'invented');
      const codes = new Set([...catalogue(), ...sourced.map(([code]) => code)]);
      const inTable = new Set(ROWS.map(({ refused }) => refused));
      expect([...codes].filter((code) => !inTable.has(code))).to.have.members(Object.keys(CODES_WITHOUT_ROW));
    });

    it("in methods of the client's resources", () => {
      const called = new Set(ROWS.flatMap(calledMethod));
      expect(
        clientMethods()
          .map(({ resource, method }) => `${resource}.${method}`)
          .filter((one) => !called.has(one)),
      ).to.have.members(Object.keys(METHODS_WITHOUT_ROW));
    });

    it('in zones', () => {
      for (const { region, zones } of regions()) expect(zones.map(regionOfZone)).to.deep.equal(zones.map(() => region));
    });
  });
});

/** Sends a row's call in one of the forms, and looks at the answer and at the world. */
async function checkRaw(cloud: ContractCloud, row: Row, formName: string): Promise<void> {
  const { form = {}, besides } = FORMS[formName] ?? {};
  const before = cloud.world();
  const mark = cloud.simulator.mark();
  const answer = await cloud.call(row.action, besides?.(row.action, row.parameters) ?? row.parameters, form);
  expect(answer.code, formName).to.equal(row.refused);
  expect(cloud.simulator.calls(mark)[0]?.ignoredParameters, 'parameters that the simulator does not know').to.equal(
    undefined,
  );
  if (row.refused === undefined) checkShape(answer, row.action);
  else checkErrorShape(answer);
  const seen = Object.fromEntries(Object.keys(row.answer ?? {}).map((path) => [path, answer.at(path)]));
  expect(fitted(seen, row.answer ?? {}), formName).to.deep.equal(row.answer ?? {});
  await checkChanges(cloud, before, row);
}

/** Makes a row's call by the client: what it sends, what it says, and what comes of it. */
async function checkTyped(cloud: ContractCloud, row: Row, typed: NonNullable<Row['typed']>): Promise<void> {
  const before = cloud.world();
  const mark = cloud.simulator.mark();
  const parameters = cloud.sent(row.parameters);
  const result = await typed(cloud.client, never, (name) => cloud.associationOf(name)).then(
    (returned) => ({ returned }),
    (error: unknown) => ({ error }),
  );
  const calls = cloud.simulator.calls(mark);
  if (row.unsent === true) {
    expect(calls).to.deep.equal([]);
    expect(
      'error' in result && (result.error instanceof RangeError || result.error instanceof TypeError),
      'refused by the client',
    ).to.equal(true);
    return;
  }
  expect(calls.map((one) => [one.action, one.parameters, one.ignoredParameters])).to.deep.equal([
    [row.action, parameters, undefined],
  ]);
  if (row.refused === undefined) {
    if ('error' in result) throw result.error;
    expect(fitted(result.returned, row.returns)).to.deep.equal(row.returns);
  } else {
    const error = 'error' in result ? result.error : undefined;
    expect(error).to.be.instanceOf(NifcloudError);
    const { code, outcome, action } = error as NifcloudError;
    expect({ code, outcome, action }).to.deep.equal({ code: row.refused, outcome: 'refused', action: row.action });
    for (const predicate of new Set(PREDICATES.map(([, one]) => one))) {
      const [family] = PREDICATES.filter(([codes, one]) => one === predicate && codes.test(code));
      expect(predicate(error), `${predicate.name} of ${code}`).to.equal(family !== undefined);
      const resource = family?.[0].exec(code)?.groups?.['resource'];
      expect(resource === undefined || predicate(error, resource), `${predicate.name} of ${resource}`).to.equal(true);
    }
  }
  await checkChanges(cloud, before, row);
}

type World = ReturnType<ContractCloud['world']>;

async function checkChanges(cloud: ContractCloud, before: World, row: Row): Promise<void> {
  checkDifference(before, cloud.world(), row.now ?? {}, 'what has changed');
  if (row.later === undefined) return;
  await cloud.settle();
  checkDifference(before, cloud.world(), row.later, 'what has changed in the end');
}

function checkDifference(before: World, after: World, expected: Changes, what: string): void {
  const differing = difference(before, after, expected);
  expect(Object.keys(differing), what).to.have.members(Object.keys(expected));
  expect(fitted(differing, expected), what).to.deep.equal(expected);
  for (const [key, facts] of Object.entries(expected)) {
    const [was, is] = [before.get(key), after.get(key)] as (Facts | undefined)[];
    if (was === undefined || is === undefined || Object.keys(facts ?? {}).length === 0) continue;
    const unnamed = Object.keys(is).filter(
      (field) => JSON.stringify(was[field]) !== JSON.stringify(is[field]) && !(field in (facts ?? {})),
    );
    expect(
      unnamed.filter((field) => field !== 'transition'),
      `${key}: ${what}`,
    ).to.deep.equal([]);
  }
}

/** What became of the things that differ; null = gone. A thing that the row does not name can go by its `*`. */
function difference(before: World, after: World, expected: Changes): Record<string, unknown> {
  const differing = [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
  );
  return Object.fromEntries(
    differing.map((key) => {
      const anyName = `${key.split('.', 1)[0]}.*`;
      return [!(key in expected) && anyName in expected ? anyName : key, after.get(key) ?? null];
    }),
  );
}

/** `actual` without what `expected` does not speak of in objects: lists are compared whole. Of a text that fits an expression, the expression. */
function fitted(actual: unknown, expected: unknown): unknown {
  if (expected instanceof RegExp) return typeof actual === 'string' && expected.test(actual) ? expected : actual;
  if (Array.isArray(expected) && Array.isArray(actual)) {
    return actual.map((one, index) => fitted(one, expected[index]));
  }
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) return actual;
  return Object.fromEntries(
    Object.entries(expected).map(([key, value]) => [key, fitted((actual as Facts)[key], value)] as const),
  );
}

/** The answer's elements are those of the sheet's tree, in its spelling, and what is in them is of the sheet's kind. */
function checkShape(answer: Answer, action: string): void {
  expect(answer.status).to.equal(200);
  expect(answer.body).to.match(
    new RegExp(`^(<\\?xml[^>]*>)?<${action}Response xmlns="https://computing\\.api\\.nifcloud\\.com/api/">`),
  );
  expect(answer.at('requestId') ?? answer.at('ResponseMetadata.RequestId')).to.match(/^[0-9a-f-]{36}$/);
  const tree = answerTree(action);
  if (tree !== undefined) expect(strangers(answer.root, tree, action)).to.deep.equal([]);
}

/** §1.6 */
function checkErrorShape(answer: Answer): void {
  expect(answer.status).to.equal(answer.code === 'Client.AuthFailure' ? 401 : 500);
  expect(answer.body).to.match(
    /^<Response><Errors><Error><Code>[\w.]+<\/Code><Message>[^<]*<\/Message><\/Error><\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/,
  );
}

/** Known to be spelled otherwise than in the tree (§1.5, §10). */
const QUIRKS: Readonly<Record<string, string>> = {
  'DescribeInstances.reservationSet.item.instancesSet.item.AccountingType': 'accountingType',
};

const KINDS: Readonly<Record<string, RegExp>> = {
  '': /^/,
  '#': /^\d*$/,
  '?': /^(true|false|)$/,
  '@': /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?\+09:00|)$/,
};

/** Paths of elements that the tree does not have, that repeat where it says that they don't, or that hold something else. */
function strangers(node: unknown, tree: Element, path: string): readonly string[] {
  if (typeof node !== 'object' || node === null)
    return KINDS[tree.kind]?.test(String(node)) === true ? [] : [`${path} = ${String(node)}`];
  return Object.entries(node).flatMap(([name, below]) => {
    const here = `${path}.${name}`;
    const element = tree.children.get(QUIRKS[here] ?? name);
    if (element === undefined) return [here];
    if (!Array.isArray(below)) return strangers(below, element, here);
    return element.repeats ? below.flatMap((one) => strangers(one, element, here)) : [`${here} repeats`];
  });
}

/** Keys of a row that stand for a parameter of the sheet. */
function given({ parameters }: Row, name: string): readonly string[] {
  const pattern = new RegExp(`^${name.replaceAll('.', '\\.').replaceAll(/\bN\b/g, '\\d+')}$`);
  return Object.keys(parameters).filter((key) => pattern.test(key));
}

/** Of each action the row with the most parameters of those that are accepted without ado. */
function richestAccepted(): ReadonlyMap<string, Row> {
  const accepted = ROWS.filter(({ refused, fault }) => refused === undefined && fault === undefined);
  const [inOrder, sizeOf] = [
    new Map<string, Row>(),
    (row: Row | undefined) => Object.keys(row?.parameters ?? {}).length,
  ];
  for (const row of accepted) if (sizeOf(row) >= sizeOf(inOrder.get(row.action))) inOrder.set(row.action, row);
  return inOrder;
}

/** What a row calls, seen by a client that only notes it down. */
function calledMethod({ typed }: Row): readonly string[] {
  const called: string[] = [];
  const resource = (name: string): object =>
    new Proxy(
      {},
      {
        get: (_, method) => () => {
          called.push(`${name}.${String(method)}`);
          return Promise.resolve();
        },
      },
    );
  const client = new Proxy({}, { get: (_, name) => resource(String(name)) }) as Nifcloud;
  void typed?.(client, never, () => '');
  return called;
}
