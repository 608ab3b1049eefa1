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
} from '../../../nifcloud/errors.ts';

const PREDICATES = {
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
};

function refused(code: string, httpStatus = 500): NifcloudError {
  return new NifcloudError({ action: 'A', code, detail: '', outcome: 'refused', httpStatus });
}

describe('errors of the cloud', () => {
  const table: [code: string, meaning: keyof typeof PREDICATES | 'nothing we know'][] = [
    ['Client.InvalidParameterNotFound.Instance', 'isNotFound'],
    ['Client.InvalidParameterNotFound.Protocol.or.ElasticLoadBalancerPort', 'isNotFound'],
    ['Client.InvalidParameterDuplicate.LoadBalancer', 'isDuplicate'],
    ['Client.Inoperable.LoadBalancerPort.AlreadyExists', 'isDuplicate'],
    ['Client.Inoperable.LoadBalancer.HavingRegisteredInstance', 'isDuplicate'],
    ['Server.Inoperable.Volume.AlreadyAttached', 'isAlreadyAttached'],
    ['Client.Inoperable.Volume.DetachedFromInstance', 'isNotAttached'],
    ['Server.ResourceIncorrectState.Instance.Processing', 'isBusy'],
    ['Server.ResourceIncorrectState.Volume.Processing', 'isBusy'],
    ['Client.AuthFailure', 'isAuthFailure'],
    ['Client.AuthFailurePermission.AccessKey', 'isAuthFailure'],
    ['Server.Maintenance', 'isMaintenance'],
    ['Server.InternalError', 'isInternalError'],
    ['RequestLimitExceeded', 'isThrottled'],
    ['Client.TooManyRequests', 'isThrottled'],
    ['Throttling', 'isThrottled'],
    ['Client.InvalidParameterNotFound.ElasticLoadBalancerId', 'isNotFound'],
    ['Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort', 'isDuplicate'],
    ['Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance', 'isDuplicate'],
    ['Client.Inoperable.SecurityGroup.InUse', 'isInUse'],
    ['Client.ResourceAssociated.RouteTable', 'isInUse'],
    ['Server.ProcessingFailure.Instance.Stop', 'isProcessingFailure'],
    ['Client.Inoperable.Instance.VolumeLimitExceeded', 'nothing we know'],
    ['NoErrorCode', 'nothing we know'],
  ];
  for (const [code, meaning] of table) {
    it(`${code} is ${meaning}`, () => {
      const holding = Object.entries(PREDICATES).filter(([, predicate]) => predicate(refused(code)));
      expect(holding.map(([name]) => name)).to.deep.equal(meaning === 'nothing we know' ? [] : [meaning]);
    });
  }

  it('name the kind of resource, in the spellings that are known', () => {
    const code = 'Client.InvalidParameterNotFound';
    expect(isNotFound(refused(`${code}.LoadBalancer`), 'LoadBalancer')).to.equal(true);
    expect(isNotFound(refused(`${code}.LoadBalancerName`), 'LoadBalancer')).to.equal(true);
    expect(isNotFound(refused(`${code}.LoadBalancerPort`), 'LoadBalancer')).to.equal(false);
    expect(isNotFound(refused(`${code}.Instance`), 'Volume')).to.equal(false);
    expect(isNotFound(refused(`${code}.ElasticLoadBalancer`), 'ElasticLoadBalancer')).to.equal(true);
    expect(isNotFound(refused(`${code}.ElasticLoadBalancerId`), 'ElasticLoadBalancer')).to.equal(true);
    for (const listener of ['ElasticLoadBalancerPort', 'Protocol.or.ElasticLoadBalancerPort']) {
      expect(isNotFound(refused(`${code}.${listener}`), 'ElasticLoadBalancerPort'), listener).to.equal(true);
      expect(isNotFound(refused(`${code}.${listener}`), 'ElasticLoadBalancer'), listener).to.equal(false);
    }
    expect(isInUse(refused('Client.ResourceAssociated.RouteTable'), 'RouteTable')).to.equal(true);
    expect(isInUse(refused('Client.Inoperable.SecurityGroup.InUse'), 'SecurityGroup')).to.equal(true);
    expect(isInUse(refused('Client.Inoperable.SecurityGroup.InUse'), 'RouteTable')).to.equal(false);
    expect(isDuplicate(refused('Client.InvalidParameterDuplicate.IpAddress'), 'IpAddress')).to.equal(true);
    expect(isDuplicate(refused('Client.Inoperable.LoadBalancerPort.AlreadyExists'), 'LoadBalancerPort')).to.equal(true);
    expect(isDuplicate(refused('Client.Inoperable.LoadBalancerPort.AlreadyExists'), 'LoadBalancer')).to.equal(false);
  });

  for (const status of [429, 509]) {
    it(`count as throttling with HTTP status ${status}, whatever the code`, () => {
      expect(isThrottled(refused('NoErrorCode', status))).to.equal(true);
    });
  }

  it('are never read from errors of other kinds', () => {
    const stranger = Object.assign(new Error('x'), { code: 'Client.InvalidParameterNotFound.Volume', httpStatus: 429 });
    for (const predicate of Object.values(PREDICATES)) expect(predicate(stranger)).to.equal(false);
    expect(isUnknownOutcome(stranger)).to.equal(false);
  });

  it('say in their message what was asked and what the cloud said, and nothing that differs from time to time', () => {
    const fields = {
      action: 'AttachVolume',
      code: 'Server.Inoperable.Volume.AlreadyAttached',
      outcome: 'refused',
    } as const;
    expect(new NifcloudError({ ...fields, detail: 'in use', requestId: 'r-1' }).message).to.equal(
      'AttachVolume: Server.Inoperable.Volume.AlreadyAttached: in use',
    );
    expect(new NifcloudError({ ...fields, detail: '' }).message).to.equal(
      'AttachVolume: Server.Inoperable.Volume.AlreadyAttached: the volume is attached to some server already',
    );
  });
});
