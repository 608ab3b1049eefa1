import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { percentEncode, signedBody } from '../../../nifcloud/sign.ts';

// Credentials and time of the worked examples in docs/reference/nifcloud-api.md §1.3.
const CREDENTIALS = {
  accessKeyId: 'EXAMPLEACCESSKEY0001',
  secretAccessKey: 'exampleSecretAccessKey/0123456789+abcdef',
};
const AT_MS = Date.UTC(2025, 0, 2, 3, 4, 5, 678);
const PATH = '/api/';

describe('signature version 2', () => {
  const examples = [
    {
      name: 'A: DescribeInstances',
      authority: 'jp-east-1.computing.api.nifcloud.com',
      parameters: { Action: 'DescribeInstances', 'InstanceId.1': 'node01' },
      signature: '1cDFrbr1T1VO10PLittcvXMzyUHrYTPTeYVEwSB9vuo=',
    },
    {
      name: 'B: awkward characters',
      authority: 'jp-east-1.computing.api.nifcloud.com',
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
      name: 'C: host with port, order of list entries',
      authority: '127.0.0.1:8443',
      parameters: { Action: 'DescribeVolumes', 'VolumeId.1': 'vol01', 'VolumeId.2': 'vol02', 'VolumeId.10': 'vol10' },
      signature: 'I/yP/fwcBXl0HZxCcC3kcIV2u+tUhM7nV7RxNkB5vn4=',
    },
  ];
  for (const { name, authority, parameters, signature } of examples) {
    it(`equals the worked example ${name}`, () => {
      const signed = signedBody({ authority, path: PATH, parameters }, CREDENTIALS, AT_MS);
      expect(signed.signature).to.equal(signature);
      expect(new URLSearchParams(signed.body).get('Signature')).to.equal(signature);
    });
  }

  it('is sent in a body whose every character is spelled as in the signed string', () => {
    const parameters = { Action: 'CreateVolume', Description: "a b*!'()~+" };
    const { body } = signedBody({ authority: 'h', path: PATH, parameters }, CREDENTIALS, AT_MS);
    expect(body).to.contain('&Description=a%20b%2A%21%27%28%29~%2B&');
    expect(body).to.contain('&Timestamp=2025-01-02T03%3A04%3A05Z&');
    expect(body).to.match(/&Signature=[\w%.~-]+$/);
  });

  it('survives a text that was cut inside a character', () => {
    expect(percentEncode('テ\u{1F600}'.slice(0, 2))).to.equal('%E3%83%86%EF%BF%BD');
  });

  it('is what an independent signer computes from the parameters and from the decoded body, for any parameters', () => {
    // Any 16 bits are a character here, so that halves of surrogate pairs occur; they are sent as U+FFFD.
    const half = fc.nat(0xff_ff).map((unit) => String.fromCharCode(unit));
    const character = fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), half);
    const text = fc.string({
      unit: fc.oneof(character, fc.constantFrom(...".-_~*!'()+ &=%/é".split(''))),
      maxLength: 20,
    });
    const listed = fc.tuple(fc.constantFrom('VolumeId', 'Instances.member', 'a', 'A'), fc.nat(200));
    const name = fc.oneof(
      text,
      listed.map(([prefix, index]) => `${prefix}.${index}`),
    );
    const pairs = fc.uniqueArray(fc.tuple(name, text), { selector: ([key]) => key.toWellFormed() });
    fc.assert(
      fc.property(pairs, fc.domain(), fc.string({ minLength: 1 }), (all, authority, secret) => {
        const given = all.filter(([key]) => !RESERVED.has(key));
        const credentials = { ...CREDENTIALS, secretAccessKey: secret };
        const request = { authority, path: PATH, parameters: Object.fromEntries(given) };
        const { body } = signedBody(request, credentials, AT_MS);
        const form = new Map(new URLSearchParams(body));
        const signature = form.get('Signature');
        form.delete('Signature');
        const expected = new Map([...given.map(wellFormed), ...COMMON]);
        expect(form).to.deep.equal(expected);
        expect(signature).to.equal(independentSignature(authority, expected, secret));
      }),
      { numRuns: 500 },
    );
  });
});

function wellFormed([name, value]: readonly [string, string]): [string, string] {
  return [name.toWellFormed(), value.toWellFormed()];
}

/** The common parameters of §1.2. */
const COMMON: readonly [string, string][] = [
  ['AccessKeyId', CREDENTIALS.accessKeyId],
  ['SignatureMethod', 'HmacSHA256'],
  ['SignatureVersion', '2'],
  ['Timestamp', '2025-01-02T03:04:05Z'],
  ['Version', '3.0'],
];

const RESERVED = new Set([...COMMON.map(([name]) => name), 'Signature', '__proto__']);

/** Written from the six steps of §1.3 on bytes, not on strings. */
function independentSignature(authority: string, form: ReadonlyMap<string, string>, secret: string): string {
  const unreserved = new Set(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~'));
  const encode = (text: string): string =>
    [...Buffer.from(text)]
      .map((byte) =>
        unreserved.has(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`,
      )
      .join('');
  const names = [...form.keys()].sort((a, b) =>
    Buffer.from(a).toString('hex') < Buffer.from(b).toString('hex') ? -1 : 1,
  );
  const query = names.map((name) => `${encode(name)}=${encode(form.get(name) ?? '')}`).join('&');
  return createHmac('sha256', secret).update(`POST\n${authority}\n/api/\n${query}`).digest('base64');
}
