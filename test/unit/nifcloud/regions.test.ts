import { expect } from 'chai';
import { regionOfZone, Regions } from '../../../nifcloud/regions.ts';
import { errorOf, listed } from './recorded-api.ts';

const never = new AbortController().signal;

// Shapes of docs/reference/nifcloud-api.md §7.
const REGIONS = `<regionInfo><item><regionName>east-1</regionName><regionEndpoint>jp-east-1.computing.api.nifcloud.com</regionEndpoint>
  <isDefault>true</isDefault><messageSet/></item><item><regionName>jp-west-2</regionName>
  <regionEndpoint>jp-west-2.computing.api.nifcloud.com</regionEndpoint><isDefault/></item></regionInfo>`;
const ZONE = `<item><zoneName>east-11</zoneName><zoneState>available</zoneState><regionName>east-1</regionName><messageSet/>
  <securityGroupSupported>true</securityGroupSupported><isDefault>false</isDefault></item>`;

describe('regions', () => {
  it('are read as the cloud describes them', async () => {
    expect(await listed(REGIONS, (api, clock) => new Regions(api, clock).list(never))).to.deep.equal([
      { name: 'east-1', endpoint: 'jp-east-1.computing.api.nifcloud.com', isDefault: true },
      { name: 'jp-west-2', endpoint: 'jp-west-2.computing.api.nifcloud.com', isDefault: false },
    ]);
  });

  it('have zones', async () => {
    const zones = await listed(`<availabilityZoneInfo>${ZONE}</availabilityZoneInfo>`, (api, clock) =>
      new Regions(api, clock).zones(never),
    );
    expect(zones).to.deep.equal([
      { name: 'east-11', regionName: 'east-1', state: 'available', isDefault: false, hasFirewallGroups: true },
    ]);
  });

  it('are not known at all when an entry lacks its name', async () => {
    const zones = listed(
      `<availabilityZoneInfo>${ZONE.replace('>east-11<', '><')}</availabilityZoneInfo>`,
      (api, clock) => new Regions(api, clock).zones(never),
    );
    expect(String(await errorOf(zones))).to.contain('<zoneName>');
  });

  for (const [zone, region] of [
    ['east-14', 'jp-east-1'],
    ['west-11', 'jp-west-1'],
    ['jp-east-41', 'jp-east-4'],
    ['us-east-11', 'us-east-1'],
    ['east-99', undefined],
    ['', undefined],
  ] as const) {
    it(`have the zone ${JSON.stringify(zone)} in ${region ?? 'none that is known'}`, () => {
      expect(regionOfZone(zone)).to.equal(region);
    });
  }
});
