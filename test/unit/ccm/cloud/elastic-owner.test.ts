import { expect } from 'chai';
import { ownerText, readOwner } from '../../../../ccm/cloud/elastic-owner.ts';

const service = { metadata: { namespace: 'default', name: 'web' } };

describe('the owner of a listener', () => {
  it('is its cluster and Service', () => {
    expect(ownerText('prod', service)).to.equal('kubernetes:prod/default/web');
    expect(readOwner('kubernetes:prod/default/web')).to.equal('kubernetes:prod/default/web');
  });

  it('fits into a description however long the name of the cluster is', () => {
    const metadata = { namespace: 'n'.repeat(63), name: 's'.repeat(63) };
    expect(ownerText('集'.repeat(600), { metadata }).length).to.be.lessThan(500);
  });

  it('is nobody where a description is empty or of other people', () => {
    for (const text of ['', 'web servers', 'kubernetes:', 'kubernetes:prod', 'kubernetes:a/b']) {
      expect(readOwner(text), text).to.equal(undefined);
    }
  });
});
