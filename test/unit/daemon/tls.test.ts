import { getCiphers } from 'node:tls';
import { expect } from 'chai';
import { CIPHER_SUITES, TLS_VERSIONS, tlsSettings } from '../../../daemon/tls.ts';

describe('TLS settings by the names of Go', () => {
  it('leave everything to Node.js where nothing is said', () => expect(tlsSettings('', [])).to.deep.equal({}));

  it('know each suite under a name that Node.js knows', () => {
    const unknown = CIPHER_SUITES.filter((suite) => {
      const { ciphers = '' } = tlsSettings('', [suite]);
      return ciphers.split(':').some((name) => !getCiphers().includes(name.toLowerCase()));
    });
    expect(unknown).to.deep.equal([]);
  });

  it('keep TLS 1.3, which cannot be chosen in Go, beside suites of older versions', () => {
    const { ciphers } = tlsSettings('VersionTLS12', ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256']);
    expect(ciphers).to.match(/^TLS_AES_128_GCM_SHA256:.*:ECDHE-RSA-AES128-GCM-SHA256$/);
  });

  it('map every version', () => {
    expect(TLS_VERSIONS.map((version) => tlsSettings(version, []).minVersion)).to.deep.equal([
      undefined,
      'TLSv1',
      'TLSv1.1',
      'TLSv1.2',
      'TLSv1.3',
    ]);
  });
});
