import { expect } from 'chai';
import { numbered, sentParameters } from '../../../nifcloud/parameters.ts';

describe('request parameters', () => {
  it('count a list from 1', () => {
    expect(numbered('VolumeId', ['a', 'b'])).to.deep.equal({ 'VolumeId.1': 'a', 'VolumeId.2': 'b' });
  });

  it('put the fields of a structure behind its index', () => {
    const parameters = numbered('IPAddresses.member', [{ IPAddress: '192.0.2.1', AddOnFilter: true }]);
    expect(parameters).to.deep.equal({
      'IPAddresses.member.1.IPAddress': '192.0.2.1',
      'IPAddresses.member.1.AddOnFilter': true,
    });
  });

  it('do not count an entry that would not be sent', () => {
    expect(() => numbered('InstanceId', ['a', ''])).to.throw(TypeError, 'InstanceId.2 is empty');
    expect(() => numbered('Instances.member', [{ InstanceId: '' }])).to.throw(TypeError, 'Instances.member.1 is empty');
  });

  it('are not sent when they are not set', () => {
    const parameters = { Action: 'X', Empty: '', Missing: undefined, Zero: 0, Off: false, ...numbered('L', []) };
    expect(sentParameters(parameters)).to.deep.equal({ Action: 'X', Zero: '0', Off: 'false' });
  });
});
