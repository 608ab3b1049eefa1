import { expect } from 'chai';
import { admits } from '../../../../../simulator/nifcloud/data-plane/filter.ts';
import type { Filter } from '../../../../../simulator/nifcloud/world/listeners.ts';

const allow = (...addresses: string[]): Filter => ({ type: 'allow', addresses, emptied: false });
const deny = (...addresses: string[]): Filter => ({ type: 'deny', addresses, emptied: false });
const emptied = (type: Filter['type']): Filter => ({ type, addresses: [], emptied: true });

describe('the filter of a listener', () => {
  const cases: readonly (readonly [string, Filter, string, 'everyone' | 'nobody', boolean])[] = [
    ['a new allow list', allow(), '10.0.0.1', 'nobody', true],
    ['a new deny list', deny(), '10.0.0.1', 'nobody', true],
    ['an allowed address', allow('10.0.0.1'), '10.0.0.1', 'everyone', true],
    ['an address beside it', allow('10.0.0.1'), '10.0.0.2', 'everyone', false],
    ['an allowed network', allow('10.0.0.9', '10.1.0.0/16'), '10.1.2.3', 'everyone', true],
    ['an allowed address of IPv6', allow('2001:db8::1'), '2001:db8::1', 'everyone', true],
    ['an allowed network of IPv6', allow('2001:db8::/32'), '2001:db8::7', 'everyone', true],
    ['an address of IPv6 beside it', allow('2001:db8::/32'), '2001:db9::7', 'everyone', false],
    ['a denied network', deny('10.0.0.0/8'), '10.1.2.3', 'everyone', false],
    ['an address beside it', deny('10.0.0.0/8'), '11.1.2.3', 'everyone', true],
    ['an emptied allow list', emptied('allow'), '10.0.0.1', 'everyone', true],
    ['an emptied allow list', emptied('allow'), '10.0.0.1', 'nobody', false],
    ['an emptied deny list', emptied('deny'), '10.0.0.1', 'nobody', true],
  ];
  for (const [name, filter, address, emptiedAdmits, expected] of cases) {
    it(`${expected ? 'admits' : 'refuses'} ${address}: ${name} (emptied-filter=${emptiedAdmits})`, () => {
      expect(admits(filter, address, { 'emptied-filter': emptiedAdmits })).to.equal(expected);
    });
  }
});
