import { expect } from 'chai';
import { at, type Json, textAt } from '../../../simulator/kubernetes/objects.ts';
import { Store } from '../../../simulator/kubernetes/store.ts';
import { runServer, type RunningServer } from './running-server.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

const names = (body: Json): string[] =>
  ((at(body, 'items') ?? []) as Json[]).map((item) => textAt(item, 'metadata', 'name'));
const token = (body: Json): string => encodeURIComponent(textAt(body, 'metadata', 'continue'));

describe('list', () => {
  let running: RunningServer;
  beforeEach(async () => {
    running = await runServer({ store: new Store(5) });
  });
  afterEach(() => running.stop());

  const create = (name: string, rest: object = {}): Promise<unknown> =>
    running.client.post(CONFIG_MAPS, { metadata: { name, ...rest } });

  it('is in the order of names and does not repeat kind and version in the items', async () => {
    for (const name of ['b', 'c', 'a']) await create(name);
    const { body } = await running.client.get(CONFIG_MAPS);
    expect([at(body, 'kind'), at(body, 'apiVersion')]).to.deep.equal(['ConfigMapList', 'v1']);
    expect(names(body)).to.deep.equal(['a', 'b', 'c']);
    expect(((at(body, 'items') ?? []) as Json[]).map((item) => Object.keys(item as object))).to.deep.equal(
      Array.from({ length: 3 }, () => ['metadata']),
    );
  });

  it('comes in pages that all show the state of the first one', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name);
    const first = (await running.client.get(`${CONFIG_MAPS}?limit=2`)).body;
    await running.client.delete(`${CONFIG_MAPS}/c`);
    await create('bb');
    const second = (await running.client.get(`${CONFIG_MAPS}?limit=2&continue=${token(first)}`)).body;
    const third = (await running.client.get(`${CONFIG_MAPS}?limit=2&continue=${token(second)}`)).body;
    expect([first, second, third].map(names)).to.deep.equal([['a', 'b'], ['c', 'd'], ['e']]);
    expect([first, second, third].map((page) => at(page, 'metadata', 'remainingItemCount'))).to.deep.equal([
      3,
      1,
      undefined,
    ]);
    expect(new Set([first, second, third].map((page) => at(page, 'metadata', 'resourceVersion'))).size).to.equal(1);
    expect(token(third)).to.equal('');
  });

  it('does not count what remains when it selects', async () => {
    for (const name of ['a', 'b', 'c']) await create(name, { labels: { x: name === 'b' ? 'no' : 'yes' } });
    const { body } = await running.client.get(`${CONFIG_MAPS}?limit=1&labelSelector=x%3Dyes`);
    expect(names(body)).to.deep.equal(['a']);
    expect(at(body, 'metadata', 'remainingItemCount')).to.equal(undefined);
    expect(
      names((await running.client.get(`${CONFIG_MAPS}?labelSelector=x%3Dyes&continue=${token(body)}`)).body),
    ).to.deep.equal(['c']);
  });

  it('refuses with 410 a page whose state is forgotten', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const { body } = await running.client.get(`${CONFIG_MAPS}?limit=1`);
    for (let change = 0; change < 6; change++) await create(`d${change}`);
    const answer = await running.client.get(`${CONFIG_MAPS}?limit=1&continue=${token(body)}`);
    expect([answer.code, at(answer.body, 'reason'), at(answer.body, 'code')]).to.deep.equal([410, 'Expired', 410]);
  });

  it('shows an exact version as long as it is remembered', async () => {
    await create('a');
    const { body } = await running.client.get(CONFIG_MAPS);
    const version = textAt(body, 'metadata', 'resourceVersion');
    await create('b');
    const exact = `${CONFIG_MAPS}?resourceVersion=${version}&resourceVersionMatch=Exact`;
    expect(names((await running.client.get(exact)).body)).to.deep.equal(['a']);
    expect(names((await running.client.get(`${CONFIG_MAPS}?resourceVersion=${version}`)).body)).to.deep.equal([
      'a',
      'b',
    ]);
    for (let change = 0; change < 6; change++) await create(`c${change}`);
    expect((await running.client.get(exact)).code).to.equal(410);
  });

  it('spans all namespaces without one', async () => {
    await running.client.post('/api/v1/namespaces', { metadata: { name: 'other' } });
    await running.client.post('/api/v1/namespaces/other/configmaps', { metadata: { name: 'a' } });
    await create('b');
    expect(names((await running.client.get('/api/v1/configmaps')).body)).to.deep.equal(['b', 'a']);
    expect(names((await running.client.get(CONFIG_MAPS)).body)).to.deep.equal(['b']);
  });
});
