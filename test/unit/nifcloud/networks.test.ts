import { expect } from 'chai';
import { Networks } from '../../../nifcloud/networks.ts';
import { errorOf, listed } from './recorded-api.ts';

const never = new AbortController().signal;

// Shapes of docs/reference/nifcloud-api.md §7.
const ROUTER = `<item><routerId>router-1</routerId><routerName>r1</routerName><availabilityZone>east-11</availabilityZone><state>available</state>
  <routeTableId>rtb-1</routeTableId><routeTableAssociationId>rtbassoc-1</routeTableAssociationId>
  <backupInformation><isBackup>true</isBackup><expirationDate/></backupInformation>
  <networkInterfaceSet><item><networkId>net-1</networkId><networkName>lan1</networkName><ipAddress>192.168.0.1</ipAddress>
  <cidrBlock>192.168.0.0/24</cidrBlock><deviceIndex>1</deviceIndex></item></networkInterfaceSet></item>`;
const LAN = `<item><networkId>net-1</networkId><privateLanName>lan1</privateLanName><availabilityZone>east-11</availabilityZone>
  <state>pending</state><cidrBlock>192.168.0.0/24</cidrBlock><routerSet/><instancesSet/></item>`;

describe('networks', () => {
  it('show the routers, with what they connect and the table they use', async () => {
    const routers = await listed(`<routerSet>${ROUTER}</routerSet>`, (api, clock) =>
      new Networks(api, clock).routers(never),
    );
    expect(routers).to.deep.equal([
      {
        id: 'router-1',
        name: 'r1',
        zone: 'east-11',
        state: 'available',
        routeTableId: 'rtb-1',
        routeTableAssociationId: 'rtbassoc-1',
        hasBackup: true,
        interfaces: [{ networkId: 'net-1', networkName: 'lan1', address: '192.168.0.1' }],
      },
    ]);
  });

  it('show the private LANs', async () => {
    const lans = await listed(`<privateLanSet>${LAN}</privateLanSet>`, (api, clock) =>
      new Networks(api, clock).privateLans(never),
    );
    expect(lans).to.deep.equal([
      { id: 'net-1', name: 'lan1', zone: 'east-11', state: 'pending', cidr: '192.168.0.0/24' },
    ]);
  });

  it('are not known at all when an entry lacks its id', async () => {
    const routers = listed(`<routerSet>${ROUTER.replace('>router-1<', '><')}</routerSet>`, (api, clock) =>
      new Networks(api, clock).routers(never),
    );
    expect(String(await errorOf(routers))).to.contain('<routerId>');
    const lans = listed(`<privateLanSet>${LAN.replace('>net-1<', '><')}</privateLanSet>`, (api, clock) =>
      new Networks(api, clock).privateLans(never),
    );
    expect(String(await errorOf(lans))).to.contain('<networkId>');
  });
});
