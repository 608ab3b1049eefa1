import { expect } from 'chai';
import { startApiServer, type ApiServer } from '../../../simulator/kubernetes/server.ts';
import type { Attempt } from '../../../simulator/kubernetes/reviews.ts';

const AUTHENTICATION = '/apis/authentication.k8s.io/v1';
const AUTHORIZATION = '/apis/authorization.k8s.io/v1';

describe('reviews of the embedded Kubernetes API', () => {
  const attempts: Attempt[] = [];
  let server: ApiServer;
  before(async () => {
    server = await startApiServer({
      identities: {
        tokens: { t1: { username: 'jane', uid: 'u-1', groups: ['dev'] } },
        allows: ({ username }, attempt) => {
          attempts.push(attempt);
          return username === 'jane' && attempt.verb === 'get';
        },
      },
    });
  });
  after(() => server.stop());

  interface Answer {
    readonly code: number;
    readonly status: Record<string, unknown>;
  }

  const post = async (path: string, kind: string, spec: object, token = ''): Promise<Answer> => {
    const response = await fetch(new URL(path, server.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ kind, apiVersion: path.replace(/^\/apis\/(.*)\/\w+$/, '$1'), spec }),
    });
    const body = (await response.json()) as { status: Record<string, unknown> };
    return { code: response.status, status: body.status };
  };

  it('name the user of a token that is known, and nobody for another', async () => {
    expect(await post(`${AUTHENTICATION}/tokenreviews`, 'TokenReview', { token: 't1' })).to.deep.equal({
      code: 201,
      status: {
        authenticated: true,
        user: { username: 'jane', uid: 'u-1', groups: ['dev', 'system:authenticated'] },
      },
    });
    const { status } = await post(`${AUTHENTICATION}/tokenreviews`, 'TokenReview', { token: 'constructor' });
    expect(status).not.to.have.property('authenticated');
  });

  it('say what somebody may do, to paths and to resources', async () => {
    const path = `${AUTHORIZATION}/subjectaccessreviews`;
    const may = async (spec: object): Promise<unknown> =>
      (await post(path, 'SubjectAccessReview', spec)).status['allowed'];
    const nonResourceAttributes = { verb: 'get', path: '/metrics' };
    expect(await may({ user: 'jane', nonResourceAttributes })).to.be.true;
    expect(await may({ user: 'joe', nonResourceAttributes })).to.be.false;
    expect(await may({ user: 'joe', groups: ['system:masters'], nonResourceAttributes })).to.be.true;
    expect(await may({ user: 'system:anonymous', nonResourceAttributes: { verb: 'get', path: '/readyz' } })).to.be.true;
    expect(await may({ user: 'jane', resourceAttributes: { verb: 'patch', resource: 'nodes' } })).to.be.false;
    expect(attempts.at(-1)).to.include({ verb: 'patch', resource: 'nodes', namespace: '' });
    expect(attempts[0]).to.deep.equal(nonResourceAttributes);
  });

  it('tell who asks by the token; without a known one that is an administrator', async () => {
    const path = `${AUTHORIZATION}/selfsubjectaccessreviews`;
    const spec = { resourceAttributes: { verb: 'delete', resource: 'nodes' } };
    expect((await post(path, 'SelfSubjectAccessReview', spec, 't1')).status).to.deep.equal({ allowed: false });
    expect((await post(path, 'SelfSubjectAccessReview', spec)).status).to.deep.equal({ allowed: true });
  });

  it('are only created, and only from what they are', async () => {
    const path = `${AUTHORIZATION}/selfsubjectaccessreviews`;
    expect((await fetch(new URL(path, server.url))).status).to.equal(405);
    expect((await post(path, 'TokenReview', {})).code).to.equal(400);
  });
});
