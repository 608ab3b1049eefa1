import { expect } from 'chai';
import { signatureOf } from '../../../../../simulator/nifcloud/api/signature.ts';

const SECRET = 'exampleSecretAccessKey/0123456789+abcdef';
const COMMON = {
  AccessKeyId: 'EXAMPLEACCESSKEY0001',
  SignatureVersion: '2',
  SignatureMethod: 'HmacSHA256',
  Timestamp: '2025-01-02T03:04:05Z',
  Version: '3.0',
};

// The worked examples of docs/reference/nifcloud-api.md §1.3.
const EXAMPLES = [
  {
    name: 'a plain call',
    host: 'jp-east-1.computing.api.nifcloud.com',
    parameters: { Action: 'DescribeInstances', 'InstanceId.1': 'node01' },
    signature: '1cDFrbr1T1VO10PLittcvXMzyUHrYTPTeYVEwSB9vuo=',
  },
  {
    name: 'HmacSHA1',
    host: 'jp-east-1.computing.api.nifcloud.com',
    parameters: { Action: 'DescribeInstances', 'InstanceId.1': 'node01', SignatureMethod: 'HmacSHA1' },
    // The sheet's value signs a text that reads HmacSHA256; this one was computed with Python's hmac over HmacSHA1.
    signature: 'IMbd3O0tDkSN4FEPeqAzS5gFsD4=',
  },
  {
    name: 'awkward characters',
    host: 'jp-east-1.computing.api.nifcloud.com',
    parameters: {
      Action: 'CreateVolume',
      Size: '100',
      InstanceId: 'node01',
      DiskType: '6',
      AccountingType: '2',
      Description: 'pvc 01*~(テスト)/+&=',
    },
    signature: 'iU7bhu/RoMeoGXSbfJqBnQTp9j/BSwBoZxl3acvZpLU=',
  },
  {
    name: 'a host with a port, and the order of list members',
    host: '127.0.0.1:8443',
    parameters: { Action: 'DescribeVolumes', 'VolumeId.1': 'vol01', 'VolumeId.2': 'vol02', 'VolumeId.10': 'vol10' },
    signature: 'I/yP/fwcBXl0HZxCcC3kcIV2u+tUhM7nV7RxNkB5vn4=',
  },
];

describe('signature version 2', () => {
  for (const { name, host, parameters, signature } of EXAMPLES) {
    it(`fits the worked example: ${name}`, () => {
      const all = new Map(Object.entries({ ...COMMON, ...parameters }));
      expect(signatureOf({ method: 'POST', host, path: '/api/', parameters: all }, SECRET)).to.equal(signature);
    });
  }
});
