import type { RouteTarget } from '../../../nifcloud/route-tables.ts';
import { each, type Facts, type Parameters, type Row, type Step } from './row.ts';

const TABLE = { RouteTableId: 'rtb-0abc2def' } as const;
const ROUTE = { RouteTableId: 'rtb-0abc1def', DestinationCidrBlock: '10.0.0.0/24' } as const;
const keep = { dropBackup: false };

const TABLES = 'routeTableSet.item';
const LANS = 'privateLanSet.item';
const ROUTERS = 'routerSet.item';

const TARGETS: readonly (readonly [Parameters, RouteTarget, Facts])[] = [
  [{ IpAddress: '192.168.0.11' }, { address: '192.168.0.11' }, { ipAddress: '192.168.0.11' }],
  [{ NetworkId: 'net-0abc1def' }, { networkId: 'net-0abc1def' }, { networkId: 'net-0abc1def' }],
  [{ NetworkName: 'lan1' }, { networkName: 'lan1' }, { networkId: 'net-0abc1def' }],
  [{ NetworkId: 'net-COMMON_GLOBAL' }, { networkId: 'net-COMMON_GLOBAL' }, { networkId: 'net-COMMON_GLOBAL' }],
  [{ NetworkName: 'net-COMMON_PRIVATE' }, { networkName: 'net-COMMON_PRIVATE' }, { networkId: 'net-COMMON_PRIVATE' }],
];

/** What no route can lead to (§1.6, §7). */
const NO_TARGETS: readonly (readonly [Parameters, string])[] = [
  [{}, 'Required.IpAddress'],
  [{ IpAddress: '192.168.0.11', NetworkId: 'net-0abc1def' }, 'IllegalInput.NetworkId'],
  [{ NetworkId: 'net-0nothing' }, 'NotFound.NetworkId'],
  [{ NetworkName: 'nothing' }, 'NotFound.PrivateLanName'],
  [{ IpAddress: 'gateway' }, 'IllegalInput.IpAddress'],
];

const ASSOCIATE: Step = ['AssociateRouteTable', { ...TABLE, RouterId: 'rtr-0abc2def' }];

/** docs/reference/nifcloud-api.md §7. */
export const ROUTES: readonly Row[] = [
  {
    rule: 'route tables with routes and associations (§7)',
    action: 'DescribeRouteTables',
    parameters: {},
    answer: {
      [`${TABLES}.0.routeTableId`]: 'rtb-0abc1def',
      [`${TABLES}.0.routeSet.item.0.destinationCidrBlock`]: '10.0.0.0/24',
      [`${TABLES}.0.routeSet.item.0.ipAddress`]: '192.168.0.10',
      [`${TABLES}.0.routeSet.item.0.networkId`]: '',
      [`${TABLES}.0.routeSet.item.1`]: undefined,
      [`${TABLES}.0.associationSet.item.0.routerId`]: 'rtr-0abc1def',
      [`${TABLES}.0.associationSet.item.0.routerName`]: 'gateway',
      [`${TABLES}.0.associationSet.item.0.routeTableId`]: 'rtb-0abc1def',
      [`${TABLES}.0.associationSet.item.0.routeTableAssociationId`]: /./,
      [`${TABLES}.0.elasticLoadBalancerAssociationSet.item.0.elasticLoadBalancerId`]: 'elb-0abc1def',
      [`${TABLES}.0.elasticLoadBalancerAssociationSet.item.0.elasticLoadBalancerName`]: 'inner',
      [`${TABLES}.1.routeTableId`]: 'rtb-0abc2def',
      [`${TABLES}.1.routeSet`]: '',
      [`${TABLES}.1.associationSet`]: '',
      [`${TABLES}.2`]: undefined,
    },
    typed: ({ routeTables }, signal) => routeTables.list(signal),
    returns: [
      {
        id: 'rtb-0abc1def',
        routes: [{ destination: '10.0.0.0/24', address: '192.168.0.10', networkId: '', networkName: '' }],
        routers: [{ associationId: /./, routerId: 'rtr-0abc1def', routerName: 'gateway' }],
        elasticLoadBalancers: [{ associationId: /./, loadBalancerId: 'elb-0abc1def' }],
      },
      { id: 'rtb-0abc2def', routes: [], routers: [], elasticLoadBalancers: [] },
    ],
  },
  ...each<[string, Parameters]>(
    [
      ['id', { 'RouteTableId.1': 'rtb-0abc1def' }],
      ['filter', { 'Filter.1.Name': 'route-table-id', 'Filter.1.Value.1': 'rtb-0abc1def' }],
      ['a router of it', { 'Filter.1.Name': 'association.router-id', 'Filter.1.Value.1': 'rtr-0abc1def' }],
      ['a pattern of a router’s name', { 'Filter.1.Name': 'association.router-name', 'Filter.1.Value.1': 'g?te*' }],
      ['a pattern of a destination', { 'Filter.1.Name': 'route.destination-cidr-block', 'Filter.1.Value.1': '10.*' }],
      ['a pattern of a next hop', { 'Filter.1.Name': 'route.ip-address', 'Filter.1.Value.1': '192.168.?.10' }],
    ],
    ([what, parameters]) => ({
      rule: `a table by ${what} (§7)`,
      action: 'DescribeRouteTables',
      parameters,
      answer: { [`${TABLES}.0.routeTableId`]: 'rtb-0abc1def', [`${TABLES}.1`]: undefined },
    }),
  ),
  {
    rule: 'patterns are not for ids (§7)',
    action: 'DescribeRouteTables',
    parameters: { 'Filter.1.Name': 'route-table-id', 'Filter.1.Value.1': 'rtb-*' },
    answer: { routeTableSet: '' },
  },
  {
    rule: 'a table that does not exist (§1.6)',
    action: 'DescribeRouteTables',
    parameters: { 'RouteTableId.1': 'rtb-0nothing' },
    refused: 'Client.InvalidParameterNotFound.RouteTableId',
  },

  ...each(TARGETS, ([wire, target, facts]) => ({
    rule: `a route to ${JSON.stringify(target)}, at once (§7)`,
    action: 'CreateRoute',
    parameters: { ...TABLE, DestinationCidrBlock: '10.1.0.0/16', ...wire },
    answer: { return: 'true' },
    typed: ({ routeTables }, signal) => routeTables.createRoute('rtb-0abc2def', '10.1.0.0/16', target, signal),
    now: { 'routeTables.rtb-0abc2def': { routes: [{ destinationCidr: '10.1.0.0/16', ...facts }] } },
  })),
  {
    rule: 'a route to a private LAN is answered with its id and name (§7)',
    given: [['CreateRoute', { ...TABLE, DestinationCidrBlock: '10.1.0.7', NetworkName: 'lan1' }]],
    action: 'DescribeRouteTables',
    parameters: { 'RouteTableId.1': 'rtb-0abc2def' },
    answer: {
      [`${TABLES}.0.routeSet.item.0.destinationCidrBlock`]: '10.1.0.7',
      [`${TABLES}.0.routeSet.item.0.networkId`]: 'net-0abc1def',
      [`${TABLES}.0.routeSet.item.0.networkName`]: 'lan1',
      [`${TABLES}.0.routeSet.item.0.ipAddress`]: '',
      [`${TABLES}.0.routeSet.item.0.state`]: 'active',
      [`${TABLES}.0.routeSet.item.0.origin`]: 'CreateRoute',
    },
  },
  ...NO_TARGETS.flatMap(([wire, code]) =>
    each(['CreateRoute', 'ReplaceRoute'], (action) => ({
      rule: `no route to ${JSON.stringify(wire)} (§1.6, §7)`,
      action,
      parameters: { ...ROUTE, ...(action === 'CreateRoute' ? { DestinationCidrBlock: '10.9.0.0/16' } : {}), ...wire },
      refused: `Client.InvalidParameter${code}`,
    })),
  ),
  {
    rule: 'a route in a table that does not exist (§1.6)',
    action: 'CreateRoute',
    parameters: { RouteTableId: 'rtb-0nothing', DestinationCidrBlock: '10.0.0.0/24', IpAddress: '192.168.0.11' },
    typed: ({ routeTables }, signal) =>
      routeTables.createRoute('rtb-0nothing', '10.0.0.0/24', { address: '192.168.0.11' }, signal),
    refused: 'Client.InvalidParameterNotFound.RouteTableId',
  },
  {
    rule: 'one route for a destination (§7, §11 no. 30)',
    action: 'CreateRoute',
    parameters: { ...ROUTE, IpAddress: '192.168.0.11' },
    typed: ({ routeTables }, signal) =>
      routeTables.createRoute('rtb-0abc1def', '10.0.0.0/24', { address: '192.168.0.11' }, signal),
    refused: 'Client.InvalidParameterDuplicate.DestinationCidrBlock',
  },
  {
    rule: 'a destination is an address or a CIDR (§7)',
    action: 'CreateRoute',
    parameters: { ...TABLE, DestinationCidrBlock: 'everywhere', IpAddress: '192.168.0.11' },
    typed: ({ routeTables }, signal) =>
      routeTables.createRoute('rtb-0abc2def', 'everywhere', { address: '192.168.0.11' }, signal),
    refused: 'Client.InvalidParameterIllegalInput.DestinationCidrBlock',
  },
  ...each(TARGETS, ([wire, target, facts]) => ({
    rule: `the route leads to ${JSON.stringify(target)} instead (§7)`,
    action: 'ReplaceRoute',
    parameters: { ...ROUTE, ...wire },
    answer: { return: 'true' },
    typed: ({ routeTables }, signal) => routeTables.replaceRoute('rtb-0abc1def', '10.0.0.0/24', target, signal),
    now: { 'routeTables.rtb-0abc1def': { routes: [{ destinationCidr: '10.0.0.0/24', ...facts }] } },
  })),
  {
    rule: 'a route goes, at once (§7)',
    action: 'DeleteRoute',
    parameters: ROUTE,
    answer: { return: 'true' },
    typed: ({ routeTables }, signal) => routeTables.deleteRoute('rtb-0abc1def', '10.0.0.0/24', signal),
    now: { 'routeTables.rtb-0abc1def': { routes: [] } },
  },
  ...each(
    [
      ['rtb-0abc1def', '10.0.0.0/16', 'DestinationCidrBlock'],
      ['rtb-0nothing', '10.0.0.0/24', 'RouteTableId'],
    ],
    ([tableId = '', destination = '', missing = '']) => ({
      rule: `a route of ${tableId} to ${destination} is not deleted (§1.6, §7)`,
      action: 'DeleteRoute',
      parameters: { RouteTableId: tableId, DestinationCidrBlock: destination },
      typed: ({ routeTables }, signal) => routeTables.deleteRoute(tableId, destination, signal),
      refused: `Client.InvalidParameterNotFound.${missing}`,
    }),
  ),
  {
    rule: 'a new table has no routes (§7)',
    action: 'CreateRouteTable',
    parameters: {},
    answer: { 'routeTable.routeTableId': /^rtb-\w{8}$/ },
    typed: ({ routeTables }, signal) => routeTables.create(signal),
    returns: { id: /^rtb-\w{8}$/ },
    now: { 'routeTables.*': { routes: [] } },
  },
  {
    rule: 'a table goes (§7)',
    action: 'DeleteRouteTable',
    parameters: TABLE,
    typed: ({ routeTables }, signal) => routeTables.delete('rtb-0abc2def', signal),
    now: { 'routeTables.rtb-0abc2def': null },
  },
  {
    rule: '… unless something is associated with it (§1.6, §7)',
    action: 'DeleteRouteTable',
    parameters: { RouteTableId: 'rtb-0abc1def' },
    typed: ({ routeTables }, signal) => routeTables.delete('rtb-0abc1def', signal),
    refused: 'Client.ResourceAssociated.RouteTable',
  },
  {
    rule: '… or it does not exist (§1.6)',
    action: 'DeleteRouteTable',
    parameters: { RouteTableId: 'rtb-0nothing' },
    typed: ({ routeTables }, signal) => routeTables.delete('rtb-0nothing', signal),
    refused: 'Client.InvalidParameterNotFound.RouteTableId',
  },

  {
    rule: 'a router uses a table; it is pending for a while (§7)',
    action: 'AssociateRouteTable',
    parameters: { ...TABLE, RouterId: 'rtr-0abc2def', Agreement: false },
    answer: { associationId: /./ },
    typed: ({ routeTables }, signal) => routeTables.associate('rtb-0abc2def', 'rtr-0abc2def', keep, signal),
    returns: { associationId: /./ },
    now: { 'routers.spare': {} },
    later: { 'routers.spare': { routeTableId: 'rtb-0abc2def', routeTableAssociationId: /./ } },
  },
  {
    rule: '… pending meanwhile (§7)',
    underway: [ASSOCIATE],
    action: 'NiftyDescribeRouters',
    parameters: { 'RouterId.1': 'rtr-0abc2def' },
    answer: { [`${ROUTERS}.0.state`]: 'pending' },
  },
  {
    rule: 'a router by its name (§7)',
    action: 'AssociateRouteTable',
    parameters: { ...TABLE, RouterName: 'spare', Agreement: true },
    now: { 'routers.spare': {} },
  },
  ...each(
    [
      [
        'rtb-0nothing',
        'rtr-0abc2def',
        'Client.InvalidParameterNotFound.RouteTableId',
        'a table that does not exist (§1.6)',
      ],
      [
        'rtb-0abc2def',
        'rtr-0nothing',
        'Client.InvalidParameterNotFound.RouterId',
        'a router that does not exist (§1.6)',
      ],
      ['rtb-0abc2def', 'rtr-0abc1def', 'Client.ResourceAssociated.Router', 'one table for each router (§7)'],
    ],
    ([tableId = '', routerId = '', refused = '', rule = '']) => ({
      rule,
      action: 'AssociateRouteTable',
      parameters: { RouteTableId: tableId, RouterId: routerId, Agreement: false },
      typed: ({ routeTables }, signal) => routeTables.associate(tableId, routerId, keep, signal),
      refused,
    }),
  ),
  {
    rule: 'a router that is pending (§7, §10)',
    given: [ASSOCIATE],
    underway: [['ReplaceRouteTableAssociation', { AssociationId: '$spare', RouteTableId: 'rtb-0abc1def' }]],
    action: 'DisassociateRouteTable',
    parameters: { AssociationId: '$spare', Agreement: false },
    typed: ({ routeTables }, signal, associationOf) => routeTables.disassociate(associationOf('spare'), keep, signal),
    refused: 'Server.ResourceIncorrectState.Router.Processing',
  },
  {
    rule: 'another table; the association has another id (§7)',
    action: 'ReplaceRouteTableAssociation',
    parameters: { AssociationId: '$gateway', RouteTableId: 'rtb-0abc2def', Agreement: true },
    answer: { newAssociationId: /./ },
    typed: ({ routeTables }, signal, associationOf) =>
      routeTables.replaceAssociation(associationOf('gateway'), 'rtb-0abc2def', { dropBackup: true }, signal),
    returns: { associationId: /./ },
    now: { 'routers.gateway': {} },
    later: { 'routers.gateway': { routeTableId: 'rtb-0abc2def', routeTableAssociationId: /./ } },
  },
  {
    rule: 'no table any more (§7)',
    action: 'DisassociateRouteTable',
    parameters: { AssociationId: '$gateway', Agreement: false },
    typed: ({ routeTables }, signal, associationOf) => routeTables.disassociate(associationOf('gateway'), keep, signal),
    now: { 'routers.gateway': {} },
    later: { 'routers.gateway': { routeTableId: '', routeTableAssociationId: '' } },
  },
  {
    rule: 'an association that does not exist is not replaced (§1.6)',
    action: 'ReplaceRouteTableAssociation',
    parameters: { AssociationId: 'rtbassoc-0nothing', RouteTableId: 'rtb-0abc2def', Agreement: false },
    typed: ({ routeTables }, signal) =>
      routeTables.replaceAssociation('rtbassoc-0nothing', 'rtb-0abc2def', keep, signal),
    refused: 'Client.InvalidParameterNotFound.AssociationId',
  },
  {
    rule: '… nor ended (§1.6)',
    action: 'DisassociateRouteTable',
    parameters: { AssociationId: 'rtbassoc-0nothing', Agreement: false },
    typed: ({ routeTables }, signal) => routeTables.disassociate('rtbassoc-0nothing', keep, signal),
    refused: 'Client.InvalidParameterNotFound.AssociationId',
  },

  {
    rule: 'routers with their interfaces and their table (§7)',
    action: 'NiftyDescribeRouters',
    parameters: {},
    answer: {
      [`${ROUTERS}.0.routerId`]: 'rtr-0abc1def',
      [`${ROUTERS}.0.routerName`]: 'gateway',
      [`${ROUTERS}.0.availabilityZone`]: 'east-11',
      [`${ROUTERS}.0.state`]: 'available',
      [`${ROUTERS}.0.type`]: /^(small|medium|large)$/,
      [`${ROUTERS}.0.routeTableId`]: 'rtb-0abc1def',
      [`${ROUTERS}.0.routeTableAssociationId`]: /./,
      [`${ROUTERS}.0.networkInterfaceSet.item.0.networkId`]: 'net-0abc1def',
      [`${ROUTERS}.0.networkInterfaceSet.item.0.networkName`]: 'lan1',
      [`${ROUTERS}.0.networkInterfaceSet.item.0.ipAddress`]: '192.168.0.1',
      [`${ROUTERS}.1.routerName`]: 'spare',
      [`${ROUTERS}.2`]: undefined,
    },
    typed: ({ networks }, signal) => networks.routers(signal),
    returns: [
      {
        id: 'rtr-0abc1def',
        name: 'gateway',
        zone: 'east-11',
        state: 'available',
        routeTableId: 'rtb-0abc1def',
        routeTableAssociationId: /./,
        hasBackup: false,
        interfaces: [{ networkId: 'net-0abc1def', networkName: 'lan1', address: '192.168.0.1' }],
      },
      {
        name: 'spare',
        routeTableId: '',
        interfaces: [{ networkId: 'net-COMMON_PRIVATE', networkName: '', address: '' }],
      },
    ],
  },
  ...each<[Parameters, string]>(
    [
      [{ 'RouterId.1': 'rtr-0nothing' }, 'RouterId'],
      [{ 'RouterName.1': 'nothing' }, 'RouterName'],
    ],
    ([parameters, missing]) => ({
      rule: `no router ${JSON.stringify(parameters)} (§1.6)`,
      action: 'NiftyDescribeRouters',
      parameters,
      refused: `Client.InvalidParameterNotFound.${missing}`,
    }),
  ),
  ...each<Parameters>(
    [
      { 'RouterId.1': 'rtr-0abc2def' },
      { 'RouterName.1': 'spare' },
      { 'Filter.1.Name': 'router-name', 'Filter.1.Value.1': 'spar?' },
      { 'Filter.1.Name': 'router-id', 'Filter.1.Value.1': 'rtr-0abc2def' },
    ],
    (parameters) => ({
      rule: `the router of ${JSON.stringify(parameters)} (§7)`,
      action: 'NiftyDescribeRouters',
      parameters,
      answer: { [`${ROUTERS}.0.routerName`]: 'spare', [`${ROUTERS}.1`]: undefined },
    }),
  ),
  {
    rule: 'private LANs with what is in them (§7)',
    action: 'NiftyDescribePrivateLans',
    parameters: {},
    answer: {
      [`${LANS}.0.networkId`]: 'net-0abc1def',
      [`${LANS}.0.privateLanName`]: 'lan1',
      [`${LANS}.0.cidrBlock`]: '192.168.0.0/24',
      [`${LANS}.0.availabilityZone`]: 'east-11',
      [`${LANS}.0.state`]: 'available',
      [`${LANS}.0.instancesSet.item.0.instanceId`]: 'node02',
      [`${LANS}.0.instancesSet.item.0.instanceUniqueId`]: 'i-0abc0002',
      [`${LANS}.0.routerSet.item.0.routerId`]: 'rtr-0abc1def',
      [`${LANS}.0.routerSet.item.0.ipAddress`]: '192.168.0.1',
      [`${LANS}.0.elasticLoadBalancingSet.item.0.elasticLoadBalancerName`]: 'inner',
      [`${LANS}.1.privateLanName`]: 'lan2',
      [`${LANS}.1.instancesSet`]: '',
      [`${LANS}.2`]: undefined,
    },
    typed: ({ networks }, signal) => networks.privateLans(signal),
    returns: [
      { id: 'net-0abc1def', name: 'lan1', zone: 'east-11', state: 'available', cidr: '192.168.0.0/24' },
      { id: 'net-0abc2def', name: 'lan2', zone: 'east-12', cidr: '192.168.2.0/24' },
    ],
  },
  ...each<[Parameters, string]>(
    [
      [{ 'NetworkId.1': 'net-0nothing' }, 'NetworkId'],
      [{ 'PrivateLanName.1': 'nothing' }, 'PrivateLanName'],
    ],
    ([parameters, missing]) => ({
      rule: `no private LAN ${JSON.stringify(parameters)} (§1.6)`,
      action: 'NiftyDescribePrivateLans',
      parameters,
      refused: `Client.InvalidParameterNotFound.${missing}`,
    }),
  ),
  ...each<Parameters>(
    [
      { 'NetworkId.1': 'net-0abc2def' },
      { 'PrivateLanName.1': 'lan2' },
      { 'Filter.1.Name': 'private-lan-name', 'Filter.1.Value.1': '?an2' },
      ...['availabilityZone', 'availability-zone'].map((name) => ({
        'Filter.1.Name': name,
        'Filter.1.Value.1': 'east-12',
      })),
      ...['cidrBlock', 'cidr', 'cidr-block'].map((name) => ({
        'Filter.1.Name': name,
        'Filter.1.Value.1': '192.168.2.0/24',
      })),
      { 'Filter.1.Name': 'network-id', 'Filter.1.Value.1': 'net-0abc2def' },
    ],
    (parameters) => ({
      rule: `the private LAN of ${JSON.stringify(parameters)} (§7)`,
      action: 'NiftyDescribePrivateLans',
      parameters,
      answer: { [`${LANS}.0.privateLanName`]: 'lan2', [`${LANS}.1`]: undefined },
    }),
  ),
];
