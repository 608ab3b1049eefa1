import { expect } from 'chai';
import {
  readAuthenticationConfig,
  reviewOwnAccess,
  reviewPathAccess,
  reviewToken,
} from '../../../kube/auth-reviews.ts';
import { KubeConnectionError, KubeError } from '../../../kube/errors.ts';
import { FakeClock } from '../../fake-clock.ts';

const NEVER = new AbortController().signal;
const PROMETHEUS = { name: 'prometheus', uid: 'u-1', groups: ['monitoring'], extra: { scopes: ['x'] } };

/** An API server that answers each create with the next of these, the last one for ever. */
class Server {
  readonly clock = new FakeClock();
  readonly random = (): number => 0;
  readonly asked: { readonly path: string; readonly body: unknown }[] = [];
  readonly #answers: readonly unknown[];

  constructor(...answers: readonly unknown[]) {
    this.#answers = answers;
  }

  get client(): this {
    return this;
  }

  create<T>(path: string, body: unknown): Promise<T> {
    const answer = this.#answers[Math.min(this.asked.length, this.#answers.length - 1)];
    this.asked.push({ path, body });
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as T);
  }
}

const away = new KubeConnectionError('away', 'ECONNREFUSED');

describe('reviews of who somebody is and what they may do', () => {
  it('name the user of a token', async () => {
    const { name, ...rest } = PROMETHEUS;
    const server = new Server({ status: { authenticated: true, user: { username: name, ...rest } } });
    expect(await reviewToken(server, 'secret', NEVER)).to.deep.equal(PROMETHEUS);
    expect(server.asked).to.deep.equal([
      {
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'secret' } },
      },
    ]);
  });

  for (const status of [{ user: {}, error: '[invalid bearer token]' }, { authenticated: false }, undefined]) {
    it(`name nobody for ${JSON.stringify(status)}`, async () => {
      expect(await reviewToken(new Server({ status }), 'secret', NEVER)).to.be.undefined;
    });
  }

  it('say whether a user may read a path', async () => {
    const server = new Server({ status: { allowed: true } }, { status: { allowed: false, denied: true } }, {});
    const attempt = { user: PROMETHEUS, verb: 'get', path: '/metrics' };
    expect(await reviewPathAccess(server, attempt, NEVER)).to.be.true;
    expect(await reviewPathAccess(server, attempt, NEVER)).to.be.false;
    expect(await reviewPathAccess(server, attempt, NEVER)).to.be.false;
    expect(server.asked[0]?.body).to.deep.include({
      spec: {
        user: 'prometheus',
        uid: 'u-1',
        groups: ['monitoring'],
        extra: { scopes: ['x'] },
        nonResourceAttributes: { path: '/metrics', verb: 'get' },
      },
    });
  });

  it('say whether the program itself may do something', async () => {
    const server = new Server({ status: { allowed: true } });
    expect(await reviewOwnAccess(server, { verb: 'patch', resource: 'nodes', subresource: 'status' }, NEVER)).to.be
      .true;
    expect(server.asked[0]?.body).to.deep.include({
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb: 'patch', resource: 'nodes', subresource: 'status' } },
    });
  });

  it('are tried five times where the server may be back soon, with growing pauses', async () => {
    const server = new Server(away, new KubeError({ code: 500 }), { status: { authenticated: true } });
    const review = reviewToken(server, 'secret', NEVER);
    await server.clock.advance(500);
    expect(server.asked).to.have.length(2);
    await server.clock.advance(749);
    expect(server.asked).to.have.length(2);
    await server.clock.advance(1);
    expect(await review).to.have.property('name', '');

    const dead = new Server(away);
    const failing = reviewToken(dead, 'secret', NEVER).catch((error: unknown) => error);
    await dead.clock.advance(60_000);
    expect(await failing).to.equal(away);
    expect(dead.asked).to.have.length(5);
  });

  it('are not repeated where the server has refused them', async () => {
    const refusal = new KubeError({ code: 403, message: 'tokenreviews is forbidden' });
    const server = new Server(refusal);
    expect(await reviewToken(server, 'secret', NEVER).catch((error: unknown) => error)).to.equal(refusal);
    expect(server.asked).to.have.length(1);
  });

  it('read what the cluster publishes for servers like this one', async () => {
    const paths: string[] = [];
    const client = {
      get: <T>(path: string): Promise<T> => {
        paths.push(path);
        return Promise.resolve({ data: { 'client-ca-file': 'PEM' } } as T);
      },
    };
    expect(await readAuthenticationConfig(client, NEVER)).to.deep.equal({ 'client-ca-file': 'PEM' });
    expect(paths).to.deep.equal(['/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication']);
  });
});
