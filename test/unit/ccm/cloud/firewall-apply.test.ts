import { expect } from 'chai';
import { FirewallChanges, type FirewallCalls } from '../../../../ccm/cloud/firewall-apply.ts';
import type { FirewallStep } from '../../../../ccm/cloud/firewall-plan.ts';
import { isThrottled, NifcloudError } from '../../../../nifcloud/errors.ts';
import type { FirewallGroup, FirewallRule } from '../../../../nifcloud/firewall-groups.ts';
import { aGroup } from './firewall-world.ts';

const NEVER = new AbortController().signal;
const DUPLICATE = 'Client.InvalidParameterDuplicate.SecurityGroup';
const MISSING = 'Client.InvalidParameterNotFound.SecurityGroupIngress';

const rule = (fromPort: number): FirewallRule => ({ direction: 'in', protocol: 'TCP', fromPort, cidr: '192.0.2.1' });
const authorize = (...ports: number[]): FirewallStep => ({ kind: 'authorize', group: 'left', rules: ports.map(rule) });
const revoke = (...ports: number[]): FirewallStep => ({ kind: 'revoke', group: 'left', rules: ports.map(rule) });

function failure(code: string, outcome: NifcloudError['outcome'] = 'refused'): NifcloudError {
  return new NifcloudError({ action: 'AuthorizeSecurityGroupIngress', code, detail: '', outcome });
}

/** One group, whose answers the test decides. */
class Cloud implements FirewallCalls {
  group: FirewallGroup | undefined = aGroup('left');
  /** Ports of the calls that were sent. */
  readonly sent: number[][] = [];
  answer: (ports: readonly number[]) => Error | undefined = () => undefined;
  /** Before a call answers. */
  delay: Promise<void> = Promise.resolve();

  readonly list = (): Promise<readonly FirewallGroup[]> =>
    Promise.resolve(this.group === undefined ? [] : [this.group]);
  readonly authorize = (_: string, rules: readonly FirewallRule[]): Promise<void> => this.#call(rules);
  readonly revoke = (_: string, rules: readonly FirewallRule[]): Promise<void> => this.#call(rules);

  async #call(rules: readonly FirewallRule[]): Promise<void> {
    const ports = rules.map(({ fromPort = 0 }) => fromPort);
    this.sent.push(ports);
    await this.delay;
    const error = this.answer(ports);
    if (error !== undefined) throw error;
  }
}

describe('a change of a firewall group', () => {
  let cloud: Cloud;
  let changes: FirewallChanges;
  beforeEach(() => {
    cloud = new Cloud();
    changes = new FirewallChanges(cloud);
  });

  it('is one call for all rules', async () => {
    expect(await changes.apply(authorize(1, 2, 3), NEVER)).to.equal('begun');
    expect(cloud.sent).to.deep.equal([[1, 2, 3]]);
  });

  it('sends the rest singly after a duplicate, the first that begins something being the last', async () => {
    cloud.group = aGroup('left', { rules: [rule(1)] });
    cloud.answer = (ports) => ([1, 2].some((port) => ports.includes(port)) ? failure(DUPLICATE) : undefined);
    expect(await changes.apply(authorize(1, 2, 3, 4), NEVER)).to.equal('begun');
    expect(cloud.sent).to.deep.equal([[1, 2, 3, 4], [2], [3]]);
  });

  it('is settled when the cloud has all of it, whatever it shows', async () => {
    cloud.answer = () => failure(DUPLICATE);
    expect(await changes.apply(authorize(1, 2), NEVER)).to.equal('settled');
    expect(cloud.sent).to.deep.equal([[1, 2], [1], [2]]);
  });

  it('looks again when rules beside a duplicate were taken', async () => {
    cloud.answer = () => failure(DUPLICATE);
    cloud.group = aGroup('left', { status: 'processing' });
    expect(await changes.apply(authorize(1, 2), NEVER)).to.equal('busy');
    expect(cloud.sent).to.have.length(1);
  });

  it('that revokes sends the rest singly when a rule is gone already', async () => {
    cloud.group = aGroup('left', { rules: [rule(2), rule(3)] });
    cloud.answer = (ports) => (ports.includes(1) ? failure(MISSING) : undefined);
    expect(await changes.apply(revoke(1, 2, 3), NEVER)).to.equal('begun');
    expect(cloud.sent).to.deep.equal([[1, 2, 3], [2]]);
    cloud.group = aGroup('left');
    expect(await changes.apply(revoke(1), NEVER), 'nothing left').to.equal('settled');
  });

  it('is settled when the group is gone, at once or meanwhile', async () => {
    cloud.answer = () => failure('Client.InvalidParameterNotFound.SecurityGroup');
    expect(await changes.apply(revoke(1), NEVER)).to.equal('settled');
    cloud.answer = () => failure(DUPLICATE);
    cloud.group = undefined;
    expect(await changes.apply(authorize(1), NEVER)).to.equal('settled');
  });

  it('looks again when the group is busy, and when the answer was lost', async () => {
    cloud.answer = () => failure('Server.ResourceIncorrectState.SecurityGroup.Processing');
    expect(await changes.apply(authorize(1), NEVER)).to.equal('busy');
    cloud.answer = () => failure('Timeout', 'unknown');
    expect(await changes.apply(authorize(1), NEVER)).to.equal('busy');
    expect(cloud.sent).to.have.length(2);
  });

  it('fails with what concerns more than a rule', async () => {
    cloud.answer = () => failure('Client.RequestLimitExceeded');
    const error = await changes.apply(authorize(1), NEVER).catch((thrown: unknown) => thrown);
    expect(isThrottled(error)).to.equal(true);
    cloud.answer = () => undefined;
    expect(await changes.apply(authorize(1), NEVER), 'the group is free again').to.equal('begun');
  });

  it('is one at a time for each group, and nobody waits for the other', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    cloud.delay = promise;
    const first = changes.apply(authorize(1), NEVER);
    expect(await changes.apply(authorize(2), NEVER)).to.equal('busy');
    const other = changes.apply({ ...authorize(3), group: 'right' }, NEVER);
    resolve();
    expect(await Promise.all([first, other])).to.deep.equal(['begun', 'begun']);
    expect(cloud.sent).to.deep.equal([[1], [3]]);
  });
});
