import { expect } from 'chai';
import {
  diskTypeFor,
  parseClassParameters,
  parseMutableParameters,
} from '../../../../csi/controller/class-parameters.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';

describe('StorageClass parameters', () => {
  for (const [type, codes] of [
    ['standard', ['2']],
    ['high-speed-a', ['3']],
    ['high-speed-b', ['4']],
    ['high-speed', ['3', '4']],
    ['flash', ['5']],
    ['standard-flash-a', ['6']],
    ['standard-flash-b', ['7']],
    ['standard-flash', ['6', '7']],
    ['high-speed-flash-a', ['8']],
    ['high-speed-flash-b', ['9']],
    ['high-speed-flash', ['8', '9']],
  ] as const) {
    it(`of type ${type} mean what they mean to the Go driver`, () => {
      const parameters = parseClassParameters({ type }, {});
      expect(parameters).to.deep.equal({ diskTypes: codes, accountingType: '2' });
      expect(codes).to.include(diskTypeFor('pvc-1', parameters));
    });
  }

  it('have the defaults of the Go driver', () => {
    expect(parseClassParameters({}, {})).to.deep.equal({ diskTypes: ['6'], accountingType: '2' });
  });

  it('give way to those of a VolumeAttributesClass', () => {
    const { accountingType } = parseClassParameters({ accountingType: 'monthly' }, { AccountingType: 'hourly' });
    expect(accountingType).to.equal('2');
  });

  it('are read although a VolumeAttributesClass wins: a value that means nothing is a mistake', () => {
    expect(() => parseClassParameters({ accountingType: 'daily' }, { accountingType: 'hourly' })).to.throw(
      RpcError,
      'daily',
    );
  });

  it('of a VolumeAttributesClass are no sidecar’s: nothing is skipped', () => {
    expect(parseMutableParameters({})).to.equal(undefined);
    expect(() => parseMutableParameters({ 'csi.storage.k8s.io/pvc/name': 'x' })).to.throw(RpcError, 'accountingType');
  });
});
